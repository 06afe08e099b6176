"""Figures that each build hands to AI's gate: choices in the AI and the control arm, and the cost of AI for them."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from recommendations.ai.models import AICall, AIGate
from recommendations.experiments import experiment_metrics
from recommendations.interactions.event_schema import Event, read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import EndUser, EventType, ExperimentArm, Exposure
from recommendations.pipeline.builds import ai_uplift
from tests.recommendations.attribution.trials import START, draft, populate

pytestmark = pytest.mark.django_db


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
            known = Event(name, "i", "view", None, moment, None, None, None, timed=True)
            record_events(tenant_id=tenant.pk, events=[known], now=START + timedelta(hours=3))

        ai_uplift.update_gate(tenant_id=tenant.pk, now=START + timedelta(days=2))

        with scope.tenant(tenant.pk):
            (row,) = AIGate.objects.all()  # the one sparse person has nobody to be compared with
        assert (row.segment, row.with_ai, row.control) == ("cold", 300, 299)
        assert row.why == "worth"
        assert row.uplift == pytest.approx(0.2, abs=0.04)

    def test_asks_the_tenant_what_is_a_choice(self, tenant):
        """A user who only ever turned items down has no history that AI could go by."""
        populate(tenant, 40)
        with scope.tenant(tenant.pk):
            EventType.objects.create(tenant=tenant, name="skip", weight=-1.0)
            people = list(EndUser.objects.order_by("pk"))
            Exposure.objects.bulk_create(
                Exposure(
                    tenant=tenant,
                    placement="home",
                    arm="ai" if number % 2 else "control",
                    week=START.date(),
                    end_user=person,
                    first_at=START,
                )
                for number, person in enumerate(people)
            )
        for name in ("p0", "p1"):
            event = {"user_id": name, "item_id": "i", "type": "skip"}
            read = read_event(event, now=START - timedelta(days=1))
            record_events(tenant_id=tenant.pk, events=[read], now=START)

        with scope.tenant(tenant.pk):
            found = experiment_metrics.by_segment(
                tenant_id=tenant.pk,
                placement="home",
                arms=("ai", "control"),
                since=START - timedelta(days=1),
                horizon=timedelta(days=1),
                now=START + timedelta(days=3),
            )

        assert found.keys() == {"cold"}

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

        ai_uplift.update_gate(tenant_id=tenant.pk, now=START + timedelta(days=2))

        with scope.tenant(tenant.pk):
            (row,) = AIGate.objects.all()
        assert (row.with_ai, row.control, row.uplift) == (400, 400, 0)
        assert row.cost_nano_usd == 2_000_000_000
