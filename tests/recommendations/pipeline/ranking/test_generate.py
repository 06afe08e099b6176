"""Builds and near line make a list for every placement, by its published rules; the API serves each of them."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.models import Build, EndUser, Item, Placement, UserList
from recommendations.pipeline.builds import publish, republish, score, train
from recommendations.pipeline.nearline import rescore
from recommendations.placements import versions
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.generated import build_now, first_build, happen, stored

ONLY_ONE = "categories contains 'kind 1'"


@pytest.fixture
def http(acme, cast):
    return cast.acme.http


def publish_rules(tenant, placement, rules):
    create_placement(tenant_id=tenant.pk, name=placement)
    version = versions.create_draft(tenant_id=tenant.pk, placement=placement, rules=rules, now=clock.now())
    versions.publish_version(tenant_id=tenant.pk, placement=placement, number=version.number, now=clock.now())


def shown(http, user_id, placement, **query):
    body = http.get(f"/api/v1/users/{user_id}/recommendations", {"placement": placement, **query}).json()
    return [item["item_id"] for item in body["items"]]


def run_due(tenant):
    """The build that a published version asks for, step by step."""
    assert republish.republish(tenant_id=tenant.pk, now=clock.now())
    with scope.tenant(tenant.pk):
        build = Build.objects.filter(status="training").get()
    train.train_step(tenant_id=tenant.pk, build_id=build.pk)
    while score.score_chunk(tenant_id=tenant.pk, build_id=build.pk):
        pass
    publish.publish_step(tenant_id=tenant.pk, build_id=build.pk)
    with scope.tenant(tenant.pk):
        return Build.objects.get(pk=build.pk)


class TestPlacements:
    def test_each_has_lists_by_its_own_rules(self, acme, http):
        publish_rules(acme, "shelf", {"filter": ONLY_ONE, "pins": [{"item_id": "i0002", "position": 1}]})

        build_now(acme)

        home, shelf = shown(http, "u0000", "home"), shown(http, "u0000", "shelf")
        assert shelf[0] == "i0002"
        assert all(int(item_id[1:]) % 4 == 1 for item_id in shelf[1:])
        assert home != shelf

    def test_an_unknown_one_is_named(self, acme, http):
        first_build(acme)

        response = http.get("/api/v1/users/u0000/recommendations?placement=nowhere")

        assert (response.status_code, response.json()["errors"][0]["code"]) == (404, "unknown_placement")

    def test_a_published_version_is_applied_without_training(self, acme, http):
        first = first_build(acme)
        hidden = shown(http, "u0000", "home")[0]
        publish_rules(acme, "home", {"hide": [hidden]})

        second = run_due(acme)

        assert second.artefact_id == first.artefact_id
        assert hidden not in shown(http, "u0000", "home", limit=100)
        assert not republish.republish(tenant_id=acme.pk, now=clock.now())

    @pytest.mark.slow
    def test_rolling_the_first_version_back_takes_its_rules_out_of_the_lists(self, acme, http):
        first_build(acme)
        pinned = shown(http, "u0000", "home", limit=100)[-1]
        publish_rules(acme, "home", {"pins": [{"item_id": pinned, "position": 1}]})
        run_due(acme)
        assert shown(http, "u0000", "home")[0] == pinned

        assert versions.roll_back_version(tenant_id=acme.pk, placement="home", now=clock.now()) is None

        run_due(acme)
        assert shown(http, "u0000", "home")[0] != pinned
        assert not republish.republish(tenant_id=acme.pk, now=clock.now())

    @pytest.mark.slow
    def test_a_version_published_during_a_build_is_applied_by_the_next(self, acme, http):
        running = build_now(acme, until="scoring")
        publish_rules(acme, "home", {"filter": ONLY_ONE})
        assert not republish.republish(tenant_id=acme.pk, now=clock.now())
        while score.score_chunk(tenant_id=acme.pk, build_id=running.pk):
            pass
        publish.publish_step(tenant_id=acme.pk, build_id=running.pk)
        assert any(int(item_id[1:]) % 4 != 1 for item_id in shown(http, "u0000", "home"))

        run_due(acme)

        assert all(int(item_id[1:]) % 4 == 1 for item_id in shown(http, "u0001", "home"))

    def test_a_filter_that_leaves_little_of_what_is_proposed_is_met_by_new_items(self, acme, http):
        with scope.tenant(acme.pk):
            for number in range(25):
                Item.objects.create(tenant=acme, item_id=f"n{number:02}", title=f"New {number}", categories=["new"])
        publish_rules(acme, "home", {"filter": "categories contains 'new'"})
        build_now(acme)

        found = shown(http, "u0000", "home")

        assert len(found) == 20
        assert {item_id[0] for item_id in found} == {"n"}

    def test_near_line_follows_the_rules_too(self, acme, http):
        publish_rules(acme, "shelf", {"filter": ONLY_ONE})
        build_now(acme)
        person = happen(acme, "u0000", "i0001")

        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        found = shown(http, "u0000", "shelf")
        assert "i0001" not in found
        assert all(int(item_id[1:]) % 4 == 1 for item_id in found)

    @pytest.mark.slow
    def test_consumed_items_return_after_their_time(self, acme, http):
        publish_rules(acme, "again", {"consumed": {"exclude": True, "return_after_days": 2}})
        publish_rules(acme, "always", {"consumed": {"exclude": False}})
        happen(acme, "u0000", "i0004", at=clock.now() - timedelta(days=3))
        happen(acme, "u0000", "i0008")
        build_now(acme)

        again, always = shown(http, "u0000", "again", limit=100), shown(http, "u0000", "always", limit=100)
        assert "i0004" in again
        assert "i0008" not in again
        assert {"i0004", "i0008"} <= set(always)
        assert not {"i0004", "i0008"} & set(shown(http, "u0000", "home", limit=100))

    @pytest.mark.slow
    def test_because_names_the_item_it_rests_on(self, acme, http):
        publish_rules(acme, "because", {"kinds": [{"kind": "because"}]})
        happen(acme, "u0000", "i0004")
        build_now(acme)

        first = http.get("/api/v1/users/u0000/recommendations?placement=because").json()["items"][0]

        assert first["evidence"] == [{"item_id": "i0004"}]
        assert first["reason"] == "Because you liked Title 4"

    @pytest.mark.slow
    def test_somebody_unknown_gets_their_segment_and_something_new(self, acme, http):
        with scope.tenant(acme.pk):
            children = [f"u{number:04d}" for number in range(1, 21, 4)]
            EndUser.objects.filter(user_id__in=children).update(segments=["kids"])
            EndUser.objects.filter(user_id="u0042").update(segments=["kids"])
            Item.objects.create(tenant=acme, item_id="brand-new", title="Brand new")
        publish_rules(acme, "home", {"exploration": 0.5})
        build_now(acme)

        body = http.get("/api/v1/users/u0042/recommendations?explain=true").json()

        parts = [item["explain"]["part"] for item in body["items"]]
        assert body["source"] == "popular"
        assert [part for part in parts if part != "latest"][:8] == ["segment"] * 8
        assert "latest" in parts[:20]


class TestMoment:
    def test_a_dated_pin_comes_and_goes_without_a_build(self, acme, http):
        start = clock.now()
        day = timedelta(days=1)
        since, until = ((start + days * day).isoformat() for days in (1, 2))
        pin = {"item_id": "i0007", "position": 2, "from": since, "until": until}
        publish_rules(acme, "home", {"pins": [pin], "consumed": {"exclude": True}})
        build_now(acme)

        from recommendations.cache.list_codec import decode
        from recommendations.serving.page.read_time_rules import arranged

        with scope.tenant(acme.pk):
            row = UserList.objects.get(end_user__user_id="u0000", placement__name="home")
        reading, items = decode(bytes(row.body)).reading, stored(row).entries()

        def second(days):
            moment = (start + days * day).timestamp()
            return arranged(list(items), reading, "u0000", moment, first=0, may_follow=bool)[1]["item_id"]

        assert second(0) != "i0007"
        assert second(1.5) == "i0007"
        assert second(3) != "i0007"

    @pytest.mark.slow
    def test_rotation_is_stable_within_its_time_and_another_after_it(self, acme, http):
        publish_rules(acme, "home", {"rotate_minutes": 60})
        build_now(acme)

        from recommendations.serving.page.read_time_rules import rotated

        with scope.tenant(acme.pk):
            items = stored(UserList.objects.get(end_user__user_id="u0000", placement__name="home")).entries()
        one, same, other = (rotated(list(items), seed) for seed in ("u0000:1", "u0000:1", "u0000:2"))
        assert one == same != other
        assert sorted(each["item_id"] for each in one) == sorted(each["item_id"] for each in items)
        assert shown(http, "u0000", "home") == shown(http, "u0000", "home")

    @pytest.mark.slow
    def test_a_pin_stays_in_a_rotating_list(self, acme, http):
        publish_rules(acme, "home", {"rotate_minutes": 1, "pins": [{"item_id": "i0007", "position": 3}]})
        build_now(acme)

        from recommendations.serving.page.read_time_rules import arranged

        with scope.tenant(acme.pk):
            row = stored(UserList.objects.get(end_user__user_id="u0000", placement__name="home"))
        orders = [
            arranged(row.entries(), row.reading, "u0000", 60.0 * minute, first=0, may_follow=bool)
            for minute in range(20)
        ]
        assert {order[2]["item_id"] for order in orders} == {"i0007"}
        assert len({order[0]["item_id"] for order in orders}) > 5

    def test_a_hidden_pin_is_not_shown(self, acme, http):
        publish_rules(acme, "home", {"pins": [{"item_id": "i0007", "position": 1, "until": "2099-01-01T00:00:00Z"}]})
        build_now(acme)
        assert shown(http, "u0000", "home")[0] == "i0007"

        http.patch("/api/v1/items/i0007", {"hidden": True}, format="json")

        assert "i0007" not in shown(http, "u0000", "home")


@pytest.mark.slow
def test_an_erased_person_is_forgotten_at_every_placement(acme, http):
    publish_rules(acme, "shelf", {})
    build_now(acme)
    shown(http, "u0000", "shelf")
    assert redis.client().keys("*:l:shelf:u0000")

    http.delete("/api/v1/users/u0000")

    assert not redis.client().keys("*:l:*:u0000")
    with scope.tenant(acme.pk):
        assert Placement.objects.count() == 2
