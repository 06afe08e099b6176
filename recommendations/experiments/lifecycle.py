"""Experiments: started, looked at, decided, ended.

The stop rule: decided when an arm's p falls to alpha (over the number of arms besides the control), for better or
worse; when a guard breaks; or when its days are over. Guards: the other metric must not be surely worse in an arm (its
interval lies below 0), and
people must come to the arms in the shares that were set (p above RATIO_ALPHA). Looking often costs nothing
(`sequential`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.tenancy import scope
from core.errors import Conflict
from core.webhooks.publish import emit
from recommendations.experiments import sequential_test
from recommendations.experiments.experiment_metrics import ArmOutcome, by_arm
from recommendations.experiments.models import Experiment, ExperimentArm
from recommendations.experiments.sequential_test import Comparison, Share
from recommendations.placements import versions

RATIO_ALPHA = 0.001
Status = Experiment.Status


@dataclass(frozen=True, slots=True)
class Against:
    """An arm beside the control: the metric, and the guard."""

    outcome: ArmOutcome
    metric: Comparison
    guard: Comparison


@dataclass(frozen=True, slots=True)
class Look:
    """What is known now. `verdict` is empty while nothing is decided."""

    control: ArmOutcome
    against: tuple[Against, ...]
    ratio_p: float
    verdict: str


def start(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """From the next build on people are spread over the arms. What the versions say is copied: drafts may change on.

    Start one through `recommendations.pipeline.artefacts.experiment_start`, which looks at the arms' artefacts first.
    Raises: Conflict where it is no draft, its arms do not add up, a version is another placement's, or another
        experiment runs at the placement; InvalidInput for rules that are not valid (any more).
    """
    with scope.tenant(tenant_id):
        experiment = Experiment.objects.select_for_update().get(tenant_id=tenant_id, pk=experiment_id)
        arms = _arms(experiment)
        if experiment.status != Status.DRAFT:
            raise Conflict("Only a draft can be started.")
        if len(arms) < 2 or arms[0].letter != "a" or sum(arm.percent for arm in arms) > 100:
            raise Conflict("An experiment has two arms or more, the control is a, and together they are at most 100 %.")
        others = Experiment.objects.filter(placement_id=experiment.placement_id, status__in=Experiment.ASSIGNING)
        if others.exists():
            raise Conflict("Another experiment runs at this placement.")
        for arm in arms:
            _fix(arm, experiment)
        experiment.status, experiment.started_at = Status.RUNNING, now
        experiment.save(update_fields=["status", "started_at"])


def end(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """Nobody is in an arm any more, from the next lists on; what was found stays.

    Raises: Conflict where it does not run.
    """
    with scope.tenant(tenant_id):
        running = Experiment.objects.filter(tenant_id=tenant_id, pk=experiment_id, status__in=Experiment.ASSIGNING)
        if not running.update(status=Status.ENDED, ended_at=now):
            raise Conflict("It does not run.")


def look(experiment: Experiment, *, now: datetime) -> Look:
    """What is known now, without writing it. Inside the tenant's scope."""
    arms = _arms(experiment)
    outcomes = by_arm(
        tenant_id=experiment.tenant_id,
        placement=experiment.placement.name,
        arms=[arm.label for arm in arms],
        horizon=timedelta(hours=experiment.horizon_hours),
        until=experiment.ended_at or now,
        now=now,
    )
    return _judged(experiment, arms, outcomes, now)


def judge_all(*, now: datetime) -> int:
    """Looks at every running experiment and keeps what it saw; returns how many were decided."""
    with scope.all_tenants("experiments: which run"):
        running = list(Experiment.objects.filter(status=Status.RUNNING).values_list("tenant_id", "pk"))
    return sum(judge(tenant_id=tenant_id, experiment_id=pk, now=now) for tenant_id, pk in running)


def judge(*, tenant_id: int, experiment_id: int, now: datetime) -> bool:
    """Looks, keeps the p of the look, and decides by the stop rule; True when it was decided now."""
    with scope.tenant(tenant_id):
        running = Experiment.objects.select_for_update(of=("self",)).select_related("placement")
        experiment = running.filter(tenant_id=tenant_id, pk=experiment_id, status=Status.RUNNING).first()
        if experiment is None:
            return False
        seen = look(experiment, now=now)
        experiment.looks = {
            "ratio": seen.ratio_p,
            **{each.outcome.arm: {"metric": each.metric.p, "guard": each.guard.p} for each in seen.against},
        }
        experiment.looked_at = now
        if seen.verdict:
            experiment.status, experiment.verdict = Status.DECIDED, seen.verdict
            data = {"experiment": experiment.pk, "name": experiment.name, "placement": experiment.placement.name}
            emit(tenant_id=tenant_id, type="experiment.decided", data=data | {"verdict": seen.verdict}, now=now)
        experiment.save(update_fields=["looks", "looked_at", "status", "verdict"])
    return bool(seen.verdict)


def _judged(
    experiment: Experiment, arms: Sequence[ExperimentArm], outcomes: Sequence[ArmOutcome], now: datetime
) -> Look:
    control, others = outcomes[0], outcomes[1:]
    alpha = experiment.alpha / max(1, len(others))
    against = []
    for outcome in others:
        before: dict[str, Any] = experiment.looks.get(outcome.arm, {})
        metric, guard = (
            sequential_test.compare(
                _share(experiment, outcome, own),
                _share(experiment, control, own),
                alpha=alpha,
                before=before.get(name, 1.0),
            )
            for name, own in (("metric", True), ("guard", False))
        )
        against.append(Against(outcome, metric, guard))
    total = sum(arm.percent for arm in arms)
    ratio = sequential_test.ratio_p(
        [outcome.people for outcome in outcomes],
        [arm.percent / total for arm in arms],
        before=experiment.looks.get("ratio", 1.0),
    )
    return Look(control, tuple(against), ratio, _verdict(experiment, against, ratio, alpha, now))


def _share(experiment: Experiment, outcome: ArmOutcome, own: bool) -> Share:
    clicks = (experiment.metric == Experiment.Metric.CLICK) == own
    return outcome.clicks if clicks else outcome.conversions


def _verdict(experiment: Experiment, against: Sequence[Against], ratio: float, alpha: float, now: datetime) -> str:
    if ratio <= RATIO_ALPHA:
        return "Stopped: people did not come to the arms in the shares that were set; nothing can be said."
    for each in against:
        # The interval, not p, which keeps what once spoke for the arm: it says for sure that the arm is worse now.
        if each.guard.high is not None and each.guard.high < 0:
            return f"Stopped: {each.outcome.arm} is worse in the guard metric."
    called = [each for each in against if each.metric.p <= alpha]
    if called:
        best = max(called, key=lambda each: each.metric.difference)
        return f"{best.outcome.arm} is {'better' if best.metric.difference > 0 else 'worse'} than the control."
    if experiment.started_at and now >= experiment.started_at + timedelta(days=experiment.max_days):
        return "No difference was found in its days."
    return ""


def _fix(arm: ExperimentArm, experiment: Experiment) -> None:
    """Copies the rules of the arm's version."""
    if arm.version is None:
        return
    if arm.version.placement_id != experiment.placement_id:
        raise Conflict(f"The version of arm {arm.letter} is another placement's.")
    versions.check_rules(arm.version.rules)
    arm.rules = arm.version.rules
    arm.save(update_fields=["rules"])


def _arms(experiment: Experiment) -> list[ExperimentArm]:
    arms = ExperimentArm.objects.filter(tenant_id=experiment.tenant_id, experiment=experiment)
    return list(arms.select_related("version").order_by("letter"))
