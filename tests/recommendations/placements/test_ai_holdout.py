"""Somebody's arm is the same one always, drawn apart for each placement, in the share that was asked for."""

from recommendations.placements.ai_holdout import AI, CONTROL, holdout_arm, is_explored

PEOPLE = [f"person-{number}" for number in range(2000)]


def arms(placement="home", percent=10, tenant_id=1):
    return [
        holdout_arm(tenant_id=tenant_id, placement=placement, user_id=each, control_percent=percent) for each in PEOPLE
    ]


class TestArmOf:
    def test_holds_the_share_and_stays(self):
        assert arms() == arms()
        assert arms().count(CONTROL) == 200
        assert set(arms(percent=0)) == {AI}

    def test_only_adds_people_when_the_share_grows(self):
        few, many = arms(percent=10), arms(percent=20)

        assert all(later == CONTROL for earlier, later in zip(few, many, strict=True) if earlier == CONTROL)

    def test_is_drawn_apart_for_placements_and_tenants(self):
        both = sum(one == other == CONTROL for one, other in zip(arms("home", 50), arms("basket", 50), strict=True))
        strangers = sum(
            one == other == CONTROL for one, other in zip(arms(percent=50), arms(percent=50, tenant_id=2), strict=True)
        )

        assert 420 < both < 580
        assert 420 < strangers < 580


class TestExplores:
    def test_is_independent_of_the_arm(self):
        explorers = [each for each in PEOPLE if is_explored(tenant_id=1, placement="home", user_id=each, percent=50)]
        controls = [
            each
            for each in explorers
            if holdout_arm(tenant_id=1, placement="home", user_id=each, control_percent=50) == CONTROL
        ]

        assert len(explorers) == 1000
        assert 420 < len(controls) < 580
