"""Experiments from the draft to the verdict, with people who do what a truth says."""

from collections import Counter
from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.tenancy import scope
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.attribution import attribute_events, stream_consumer
from recommendations.attribution.recommendation_ids import make
from recommendations.experiments import experiment_metrics, lifecycle
from recommendations.interactions.event_schema import Event
from recommendations.interactions.ingest import record_events
from recommendations.models import (
    Artefact,
    EndUser,
    Experiment,
    Exposure,
    Placement,
    PlacementVersion,
)
from tests.accounts.admin.people import CONFIRMED
from tests.recommendations.attribution.trials import PEOPLE, START, assigned, populate, reread, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(tenant):
    """The tenant with its people."""
    return populate(tenant, PEOPLE)


def live(tenant, collecting, rates, *, seed=1, kind="click", only=None):
    """Everybody sees a page over a day, in their arm; some do `kind` an hour later, as often as the arm's rate says.

    Exactly so often, since who is in which arm differs with the tenant's and the experiment's numbers.
    """
    seen: Counter[str] = Counter()
    events = []
    for number, (person, found) in enumerate(assigned(tenant).items()):
        if found is None or (only and not only(person, found)):
            continue
        arm, at = found, START + timedelta(seconds=number * 20)
        page = make(f"{person}", source="model", placement="home", arm=arm)
        collecting.record(
            tenant_id=tenant.pk,
            recommendation_id=page,
            user_id=person,
            placement="home",
            arm=arm,
            source="model",
            item_ids=["i"],
            at=at.timestamp(),
        )
        seen[arm] += 1
        if int(seen[arm] * rates[arm[-1]]) > int((seen[arm] - 1) * rates[arm[-1]]):
            moment = at + timedelta(hours=1)
            events.append(Event(person, "i", kind, None, moment, None, page, None, timed=True))
    collecting.flush()
    stream_consumer.flush(now=START + timedelta(days=2))
    for first in range(0, len(events), 1000):
        record_events(tenant_id=tenant.pk, events=events[first : first + 1000], now=START + timedelta(days=2))
    attribute_events.attribute(now=START + timedelta(days=2))


def watch(tenant, experiment, days=3):
    """Looks every two hours until it is decided; how often."""
    for hour in range(0, days * 24, 2):
        if lifecycle.judge(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START + timedelta(hours=hour)):
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

    @pytest.mark.slow
    def test_stops_when_the_guard_breaks(self, crowd, collecting):
        experiment = started(crowd, metric="conversion")
        live(crowd, collecting, {"a": 0.12, "b": 0.04})

        assert watch(crowd, experiment) is not None
        assert reread(experiment).verdict == f"Stopped: x{experiment.pk}b is worse in the guard metric."

    @pytest.mark.slow
    def test_does_not_take_what_once_spoke_for_an_arm_for_a_broken_guard(self, crowd, collecting):
        experiment = started(crowd, metric="conversion")
        live(crowd, collecting, {"a": 0.10, "b": 0.09})
        with scope.tenant(crowd.pk):
            Experiment.objects.update(looks={f"x{experiment.pk}b": {"metric": 1.0, "guard": 1e-9}})

        with scope.tenant(crowd.pk):
            look = lifecycle.analyse(Experiment.objects.get(), now=START + timedelta(days=3))

        assert look.comparisons[0].guard.difference < 0
        assert look.verdict == ""

    @pytest.mark.slow
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
            a, b = experiment_metrics.by_arm(
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

        browser.post(changelist, {"action": "start", "_selected_action": [experiment.pk], **CONFIRMED})
        live(crowd, collecting, {"a": 0.05, "b": 0.12})
        page = browser.get(reverse("admin:recommendations_experiment_results", args=[experiment.pk])).content.decode()
        browser.post(changelist, {"action": "end", "_selected_action": [experiment.pk], **CONFIRMED})

        assert f"x{experiment.pk}a (control)" in page
        assert "points (" in page
        assert reread(experiment).status == "ended"
