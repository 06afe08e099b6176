"""Measures AI uplift by segment at each build, from the outcomes of the AI and the control arm, for the uplift gate."""

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

WINDOW = timedelta(days=28)
HORIZON = timedelta(hours=24)


def update_gate(*, tenant_id: int, now: datetime) -> None:
    """Records the measurements of the last weeks; segments without users in both arms are left out.

    A case is a user's week, a success a click within a day of its first page. Only AI's own arms are compared: both
    follow the placement's rules. Users of an experiment are in neither, as its arms may differ in more than AI.

    The cost of these weeks' calls is divided equally among all cases that may have been reranked: calls know neither
    segments nor arms, and the calls for users of an experiment are no cost of the others.
    """
    since = now - WINDOW
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
        cost: int = calls.aggregate(cost=Sum("cost_nano_usd", default=0))["cost"]
        in_experiments = experiment_metrics.count_cases(
            tenant_id=tenant_id, arms=_experiment_arms_with_ai(tenant_id), since=since, horizon=HORIZON, now=now
        )
    cases = in_experiments + sum(with_ai.people for segments in measured.values() for with_ai, _ in segments.values())
    policy = AIConfiguration.from_settings(settings).gate
    for name, segments in measured.items():
        rows = [
            UpliftMeasurement(
                segment=segment,
                ai_cases=with_ai.people,
                ai_successes=with_ai.successes,
                control_cases=control.people,
                control_successes=control.successes,
                cost_nano_usd=cost * with_ai.people // cases if cases else 0,
            )
            for segment, (with_ai, control) in segments.items()
            if with_ai.people and control.people
        ]
        gate.record_measurements(tenant_id=tenant_id, placement=name, rows=rows, policy=policy, now=now)


def _experiment_arms_with_ai(tenant_id: int) -> list[str]:
    """The labels of all arms whose lists AI may have reranked. Call it in the tenant's scope."""
    arms_with_ai = ExperimentArm.objects.filter(tenant_id=tenant_id, ai=True)
    return [arm.label for arm in arms_with_ai if (arm.rules or {}).get("ai", True)]
