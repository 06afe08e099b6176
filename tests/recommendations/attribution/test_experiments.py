"""Experiments from the draft to the verdict, with people who do what a truth says."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts import scope
from accounts.models import User
from core.errors import Conflict
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.ai.models import AICall, AIGate
from recommendations.attribution import assignment, experiments, flush, outcomes, settle
from recommendations.attribution.recommendation_ids import make
from recommendations.interactions.event import Event
from recommendations.interactions.record import record
from recommendations.models import (
    Artefact,
    EndUser,
    Experiment,
    ExperimentArm,
    Exposure,
    Item,
    Placement,
    PlacementVersion,
)
from recommendations.precompute import uplift

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
PEOPLE = 1600


@pytest.fixture
def tenant(cast):
    tenant = cast.acme.tenant
    with scope.tenant(tenant.pk):
        Placement.objects.create(tenant=tenant, name="home")
        Item.objects.create(tenant=tenant, item_id="i")
    return tenant


@pytest.fixture
def admin_browser(db):
    User.objects.create_superuser("root", "root@example.org", "correct horse battery staple")
    browser = Client()
    browser.login(username="root", password="correct horse battery staple")
    return browser


@pytest.fixture
def crowd(tenant):
    """The tenant with its people."""
    return populate(tenant, PEOPLE)


def populate(tenant, count):
    with scope.tenant(tenant.pk):
        EndUser.objects.bulk_create(
            EndUser(tenant=tenant, user_id=f"p{number}", created_at=START - timedelta(days=9))
            for number in range(count)
        )
    return tenant


def draft(tenant, *, percents=(50, 50), **fields):
    with scope.tenant(tenant.pk):
        placement = Placement.objects.get(tenant=tenant)
        experiment = Experiment.objects.create(tenant=tenant, placement=placement, name="Reasons", **fields)
        for letter, percent in zip("abcdefgh", percents, strict=False):
            ExperimentArm.objects.create(tenant=tenant, experiment=experiment, letter=letter, percent=percent)
    return experiment


def started(tenant, **fields):
    experiment = draft(tenant, **fields)
    experiments.start(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START)
    return experiment


def reread(experiment):
    with scope.tenant(experiment.tenant_id):
        return Experiment.objects.get(pk=experiment.pk)


def assigned(tenant):
    with scope.tenant(tenant.pk):
        found = assignment.running(tenant_id=tenant.pk, placement_id=Placement.objects.get(tenant=tenant).pk)
    assert found is not None
    return {f"p{number}": found.arm_of(f"p{number}") for number in range(PEOPLE)}


def live(tenant, collecting, rates, *, seed=1, kind="click", only=None):
    """Everybody sees a page over a day, in their arm; some do `kind` an hour later, as often as the arm's rate says."""
    chance, events = random.Random(seed), []
    for number, (person, found) in enumerate(assigned(tenant).items()):
        if found is None or (only and not only(person, found)):
            continue
        arm, at = found, START + timedelta(seconds=number * 20)
        page = make(f"{person}", source="model", placement="home", arm=arm)
        collecting.collect(
            tenant_id=tenant.pk,
            recommendation_id=page,
            user_id=person,
            placement="home",
            arm=arm,
            source="model",
            item_ids=["i"],
            at=at.timestamp(),
        )
        if chance.random() < rates[arm[-1]]:
            moment = at + timedelta(hours=1)
            events.append(Event(person, "i", kind, None, moment, None, page, None, f"{number + seed * 10**6:032x}"))
    collecting.flush()
    flush.flush(now=START + timedelta(days=2))
    for first in range(0, len(events), 1000):
        record(tenant_id=tenant.pk, events=events[first : first + 1000], now=START + timedelta(days=2))
    settle.settle(now=START + timedelta(days=2))


def watch(tenant, experiment, days=3):
    """Looks every two hours until it is decided; how often."""
    for hour in range(0, days * 24, 2):
        if experiments.judge(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START + timedelta(hours=hour)):
            return hour
    return None


class TestVerdict:
    def test_calls_a_known_effect_right_and_tells(self, crowd, collecting):
        with scope.tenant(crowd.pk):
            url = "https://hooks.example.org/"
            WebhookEndpoint.objects.create(tenant_id=crowd.pk, url=url, events=["experiment.decided"])
        experiment = started(crowd)
        live(crowd, collecting, {"a": 0.05, "b": 0.12})

        assert watch(crowd, experiment) is not None

        decided = reread(experiment)
        assert (decided.status, decided.verdict) == ("decided", f"x{experiment.pk}b is better than the control.")
        with scope.tenant(crowd.pk):
            assert WebhookDelivery.objects.count() == 1
        assert watch(crowd, experiment) is None  # once

    def test_calls_nothing_without_an_effect(self, crowd, collecting):
        """Over many seeds: test_sequential."""
        experiment = started(crowd)
        live(crowd, collecting, {"a": 0.08, "b": 0.08})

        assert watch(crowd, experiment) is None
        assert reread(experiment).status == "running"

    def test_ends_without_a_difference_when_its_days_are_over(self, tenant):
        experiment = started(tenant, max_days=3)

        assert watch(tenant, experiment, days=4) == 72
        assert reread(experiment).verdict == "No difference was found in its days."

    def test_stops_when_the_guard_breaks(self, crowd, collecting):
        experiment = started(crowd, metric="conversion")
        live(crowd, collecting, {"a": 0.12, "b": 0.04})

        assert watch(crowd, experiment) is not None
        assert reread(experiment).verdict == f"Stopped: x{experiment.pk}b is worse in the guard metric."

    def test_does_not_take_what_once_spoke_for_an_arm_for_a_broken_guard(self, crowd, collecting):
        experiment = started(crowd, metric="conversion")
        live(crowd, collecting, {"a": 0.10, "b": 0.09})
        with scope.tenant(crowd.pk):
            Experiment.objects.update(looks={f"x{experiment.pk}b": {"metric": 1.0, "guard": 1e-9}})

        with scope.tenant(crowd.pk):
            look = experiments.look(Experiment.objects.get(), now=START + timedelta(days=3))

        assert look.against[0].guard.difference < 0
        assert look.verdict == ""

    def test_stops_when_people_do_not_come_in_the_shares_that_were_set(self, crowd, collecting):
        experiment = started(crowd)
        live(crowd, collecting, {"a": 0.08, "b": 0.08}, only=lambda person, arm: arm[-1] == "a" or person[-1] < "6")

        assert watch(crowd, experiment) is not None
        assert "shares" in reread(experiment).verdict


class TestOutcomes:
    def test_leave_out_people_of_two_arms_and_those_whose_time_is_not_over(self, tenant):
        populate(tenant, 4)
        with scope.tenant(tenant.pk):
            people = list(EndUser.objects.order_by("pk"))
            for number, (person, arm, hours, click) in enumerate(
                [(0, "x1a", 0, 2), (1, "x1a", 0, 30), (2, "x1a", 0, None), (2, "x1b", 1, 2), (3, "x1b", 40, 41)]
            ):
                Exposure.objects.create(
                    tenant=tenant,
                    placement="home",
                    arm=arm,
                    week=START.date() - timedelta(days=7 * (number % 2)),
                    end_user=people[person],
                    first_at=START + timedelta(hours=hours),
                    click_at=None if click is None else START + timedelta(hours=click),
                )
            a, b = outcomes.by_arm(
                tenant_id=tenant.pk,
                placement="home",
                arms=["x1a", "x1b"],
                horizon=timedelta(hours=24),
                until=START + timedelta(hours=48),
                now=START + timedelta(hours=48),
            )

        assert (a.people, a.clicks.people, a.clicks.successes) == (2, 2, 1)  # the click after 30 hours is too late
        assert (b.people, b.clicks.people) == (1, 0)
        assert a.crossed + b.crossed == 1


class TestAssignment:
    def test_is_sticky_in_the_shares_and_leaves_others_out(self, tenant):
        started(tenant, percents=(30, 20, 10))
        first, again = assigned(tenant), assigned(tenant)

        assert first == again
        shares = [sum(found is not None and found[-1] == letter for found in first.values()) for letter in "abc"]
        for share, percent in zip(shares, (30, 20, 10), strict=True):
            assert abs(share / PEOPLE - percent / 100) < 0.02

    def test_is_drawn_anew_for_each_experiment(self, tenant):
        one = started(tenant)
        before = assigned(tenant)
        experiments.end(tenant_id=tenant.pk, experiment_id=one.pk, now=START)
        started(tenant)
        after = assigned(tenant)

        same = sum(str(before[person])[-1] == str(after[person])[-1] for person in before)
        assert 0.4 < same / PEOPLE < 0.6

    @pytest.mark.parametrize(
        ("before", "after", "most"),
        [
            ((10, 10), (30, 30), 0),  # only people from outside come in
            ((20, 20, 10), (33, 20, 33), 0),
            ((80, 20), (60, 40), 20),  # as many as must
            ((50, 30), (50, 10), 0),  # who leaves goes to no other arm
            ((60, 20, 20), (20, 20, 20), 0),
        ],
    )
    def test_moves_nobody_between_arms_who_need_not_move_when_shares_change(self, before, after, most):
        one, other = assignment.places_of(before), assignment.places_of(after)

        for places, shares in ((one, before), (other, after)):
            assert [places.count(arm) for arm in range(len(shares))] == list(shares)
        moved = [place for place, arm in enumerate(one) if arm is not None and other[place] not in (arm, None)]
        stayed = sum(arm is not None and arm == other[place] for place, arm in enumerate(one))
        assert len(moved) == most
        assert stayed == sum(map(min, before, after))

    def test_keeps_its_shares_once_it_has_started(self, tenant, admin_browser):
        experiment = started(tenant)
        with scope.tenant(tenant.pk):
            arm = ExperimentArm.objects.get(experiment=experiment, letter="a")
        change = reverse("admin:recommendations_experiment_change", args=[experiment.pk])
        sent = {"name": "Reasons", "arms-TOTAL_FORMS": 1, "arms-INITIAL_FORMS": 1, "arms-0-id": arm.pk}

        admin_browser.post(change, sent | {"arms-0-letter": "a", "arms-0-percent": 90})

        with scope.tenant(tenant.pk):
            assert ExperimentArm.objects.get(pk=arm.pk).percent == 50

    @pytest.mark.parametrize("percents", [(), (50,), (60, 60)])
    def test_needs_arms_that_add_up(self, tenant, percents):
        experiment = draft(tenant, percents=percents)

        with pytest.raises(Conflict):
            experiments.start(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START)

    def test_is_one_at_a_placement(self, tenant):
        started(tenant)
        second = draft(tenant)

        with pytest.raises(Conflict):
            experiments.start(tenant_id=tenant.pk, experiment_id=second.pk, now=START)


class TestUplift:
    def test_hands_the_gate_what_people_did_by_segment(self, tenant, settings):
        settings.AI_GATE_MINIMUM_CASES = 200
        populate(tenant, 600)
        with scope.tenant(tenant.pk):
            people = list(EndUser.objects.order_by("pk"))
            rows = []
            for number, person in enumerate(people):
                arm = "ai" if number % 2 else "control"
                clicked = number % 20 < (6 if arm == "ai" else 2)
                rows.append(
                    Exposure(
                        tenant=tenant,
                        placement="home",
                        arm=arm,
                        week=START.date(),
                        end_user=person,
                        first_at=START,
                        click_at=START + timedelta(hours=1) if clicked else None,
                    )
                )
            Exposure.objects.bulk_create(rows)
        # One person has a history before, and another a first event only after the page.
        for name, moment in (("p0", START - timedelta(days=1)), ("p1", START + timedelta(hours=2))):
            known = Event(name, "i", "view", None, moment, None, None, None, f"{int(moment.timestamp()):032x}")
            record(tenant_id=tenant.pk, events=[known], now=START + timedelta(hours=3))

        uplift.hand_over(tenant_id=tenant.pk, now=START + timedelta(days=2))

        with scope.tenant(tenant.pk):
            (row,) = AIGate.objects.all()  # the one sparse person has nobody to be compared with
        assert (row.segment, row.with_ai, row.control) == ("cold", 300, 299)
        assert row.why == "worth"
        assert row.uplift == pytest.approx(0.2, abs=0.04)

    def test_charges_the_calls_for_people_in_experiments_to_them(self, tenant, settings):
        settings.AI_GATE_MINIMUM_CASES = 200
        experiment = draft(tenant)
        with scope.tenant(tenant.pk):
            ExperimentArm.objects.filter(experiment=experiment, letter="a").update(rules={"ai": False})
            AICall.objects.create(
                tenant=tenant,
                day=START.date(),
                at=START,
                purpose="rerank",
                model="m",
                outcome="ok",
                latency_ms=1,
                simulated=False,
                cost_nano_usd=4_000_000_000,
            )
        populate(tenant, 1600)
        labels = ["ai", "control", f"x{experiment.pk}a", f"x{experiment.pk}b"]  # of which ai and b meet AI
        with scope.tenant(tenant.pk):
            Exposure.objects.bulk_create(
                Exposure(
                    tenant=tenant,
                    placement="home",
                    arm=labels[number % 4],
                    week=START.date(),
                    end_user=person,
                    first_at=START,
                    # The experiment's arms differ hugely; AI's do not differ at all.
                    click_at=START + timedelta(hours=1) if labels[number % 4][-1] == "b" else None,
                )
                for number, person in enumerate(EndUser.objects.order_by("pk"))
            )

        uplift.hand_over(tenant_id=tenant.pk, now=START + timedelta(days=2))

        with scope.tenant(tenant.pk):
            (row,) = AIGate.objects.all()
        assert (row.with_ai, row.control, row.uplift) == (400, 400, 0)
        assert row.cost_nano_usd == 2_000_000_000


class TestAdmin:
    def test_refuses_an_arm_with_what_is_another_s(self, tenant, cast, admin_browser):
        stranger = cast.globex.tenant
        with scope.tenant(tenant.pk):
            own = Placement.objects.get(tenant=tenant)
            elsewhere = Placement.objects.create(tenant=tenant, name="cart")
            version = PlacementVersion.objects.create(tenant=tenant, placement=elsewhere, number=1)
        with scope.tenant(stranger.pk):
            artefact = Artefact.objects.create(
                tenant=stranger, file="f", items=1, people=1, interactions=1, size_bytes=1, train_seconds=1
            )
        sent = {
            "tenant": tenant.pk,
            "placement": own.pk,
            "name": "Mixed up",
            "metric": "click",
            "horizon_hours": 24,
            "alpha": "0.05",
            "max_days": 28,
            "arms-TOTAL_FORMS": 2,
            "arms-INITIAL_FORMS": 0,
            "arms-0-letter": "a",
            "arms-0-percent": 50,
            "arms-0-version": version.pk,
            "arms-1-letter": "b",
            "arms-1-percent": 50,
            "arms-1-artefact": artefact.pk,
        }

        page = admin_browser.post(reverse("admin:recommendations_experiment_add"), sent).content.decode()

        assert "another placement" in page
        assert "belongs to another tenant" in page
        with scope.tenant(tenant.pk):
            assert not Experiment.objects.exists()

    def test_sets_up_starts_shows_and_ends(self, crowd, collecting, admin_browser):
        browser = admin_browser
        with scope.tenant(crowd.pk):
            placement = Placement.objects.get(tenant=crowd)
        sent = {
            "tenant": crowd.pk,
            "placement": placement.pk,
            "name": "Reasons",
            "metric": "click",
            "horizon_hours": 24,
            "alpha": "0.05",
            "max_days": 28,
            "arms-TOTAL_FORMS": 2,
            "arms-INITIAL_FORMS": 0,
            "arms-0-letter": "a",
            "arms-0-percent": 50,
            "arms-1-letter": "b",
            "arms-1-percent": 50,
            "arms-1-ai": "on",
        }
        changelist = reverse("admin:recommendations_experiment_changelist")
        assert browser.post(reverse("admin:recommendations_experiment_add"), sent).status_code == 302
        with scope.tenant(crowd.pk):
            experiment = Experiment.objects.get()
            assert [(arm.letter, arm.percent, arm.ai) for arm in experiment.arms.all()] == [
                ("a", 50, False),
                ("b", 50, True),
            ]

        browser.post(changelist, {"action": "start", "_selected_action": [experiment.pk]})
        live(crowd, collecting, {"a": 0.05, "b": 0.12})
        page = browser.get(reverse("admin:recommendations_experiment_results", args=[experiment.pk])).content.decode()
        browser.post(changelist, {"action": "end", "_selected_action": [experiment.pk]})

        assert f"x{experiment.pk}a (control)" in page
        assert "points (" in page
        assert reread(experiment).status == "ended"
