"""What AI brought, by segment, handed to its gate at each build: from what people did in the AI and the control arm."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from accounts.tenancy import scope
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.models import AICall
from recommendations.ai.uplift import gate
from recommendations.ai.uplift.gate import UpliftMeasurement
from recommendations.experiments import experiment_metrics
from recommendations.experiments.models import ExperimentArm
from recommendations.placements import ai_holdout
from recommendations.placements.models import Placement

LOOKED_BACK = timedelta(days=28)
HORIZON = timedelta(hours=24)


def hand_over(*, tenant_id: int, now: datetime) -> None:
    """Measures the last weeks and lets the gate judge; without anybody in both arms nothing changes.

    A case is a person's week, a success a click within a day of its first page. Only AI's own arms are compared: both
    follow the placement's rules. People in an experiment are in neither, as its arms may differ in more than AI.

    The calls of these weeks are charged to all cases that may have met AI, to each the same: calls know neither
    segments nor arms, and those of an experiment's people are no cost of the others'.
    """
    since = now - LOOKED_BACK
    with scope.tenant(tenant_id):
        measured = {
            name: experiment_metrics.by_segment(
                tenant_id=tenant_id,
                placement=name,
                arms=(ai_holdout.AI, ai_holdout.CONTROL),
                since=since,
                horizon=HORIZON,
                now=now,
            )
            for name in Placement.objects.filter(tenant_id=tenant_id).order_by("pk").values_list("name", flat=True)
        }
        calls = AICall.objects.filter(tenant_id=tenant_id, day__gte=since.date())
        spent: int = calls.aggregate(spent=Sum("cost_nano_usd", default=0))["spent"]
        elsewhere = experiment_metrics.cases(
            tenant_id=tenant_id, arms=_experiments_with_ai(tenant_id), since=since, horizon=HORIZON, now=now
        )
    cases = elsewhere + sum(with_ai.people for segments in measured.values() for with_ai, _ in segments.values())
    policy = AIConfiguration.from_settings(settings).gate
    for name, segments in measured.items():
        rows = [
            UpliftMeasurement(
                segment=segment,
                ai_cases=with_ai.people,
                ai_successes=with_ai.successes,
                control_cases=control.people,
                control_successes=control.successes,
                cost_nano_usd=spent * with_ai.people // cases if cases else 0,
            )
            for segment, (with_ai, control) in segments.items()
            if with_ai.people and control.people
        ]
        gate.record_measurements(tenant_id=tenant_id, placement=name, rows=rows, policy=policy, now=now)


def _experiments_with_ai(tenant_id: int) -> list[str]:
    """The labels of all arms whose lists AI may have reordered. Inside the tenant's scope."""
    arms_with_ai = ExperimentArm.objects.filter(tenant_id=tenant_id, ai=True)
    return [arm.label for arm in arms_with_ai if (arm.rules or {}).get("ai", True)]
