"""The life of an experiment: start, interim analyses, decision, end.

It is decided when an arm's p falls to alpha (divided by the number of arms besides the control), for better or worse;
when a guard breaks; or when its days are over. Guards: the other metric must not be significantly worse in an arm (its
interval below 0), and users must arrive in the configured shares (p above RATIO_ALPHA). Frequent analyses cost nothing
(`sequential_test`).
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
class ArmComparison:
    """An arm compared with the control, in the metric and the guard."""

    outcome: ArmOutcome
    metric: Comparison
    guard: Comparison


@dataclass(frozen=True, slots=True)
class InterimAnalysis:
    """The state of an experiment. `verdict` is empty while it is undecided."""

    control: ArmOutcome
    comparisons: tuple[ArmComparison, ...]
    ratio_p: float
    verdict: str


def start(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """Assigns users to the arms from the next build on. The rules of versions are copied: drafts may change later.

    Call `recommendations.pipeline.artefacts.experiment_start`, which checks the arms' artefacts first.

    Raises:
        Conflict: It is not a draft, its arms do not add up, a version belongs to another placement, or another
            experiment is running at the placement.
        InvalidInput: Rules are not valid (any more).
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
            raise Conflict("Another experiment is running at this placement.")
        for arm in arms:
            _copy_rules(arm, experiment)
        experiment.status, experiment.started_at = Status.RUNNING, now
        experiment.save(update_fields=["status", "started_at"])


def end(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """Ends the assignment to arms from the next lists on; the results stay.

    Raises:
        Conflict: It is not running.
    """
    with scope.tenant(tenant_id):
        running = Experiment.objects.filter(tenant_id=tenant_id, pk=experiment_id, status__in=Experiment.ASSIGNING)
        if not running.update(status=Status.ENDED, ended_at=now):
            raise Conflict("This experiment is not running.")


def analyse(experiment: Experiment, *, now: datetime) -> InterimAnalysis:
    """The current interim analysis, not saved. Call it in the tenant's scope."""
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
    """Analyses every running experiment and saves the results; returns the number of decisions."""
    with scope.all_tenants("experiments: which run"):
        running = list(Experiment.objects.filter(status=Status.RUNNING).values_list("tenant_id", "pk"))
    return sum(judge(tenant_id=tenant_id, experiment_id=pk, now=now) for tenant_id, pk in running)


def judge(*, tenant_id: int, experiment_id: int, now: datetime) -> bool:
    """Analyses an experiment, saves its p values, and decides by the stop rule; True if it was decided now."""
    with scope.tenant(tenant_id):
        running = Experiment.objects.select_for_update(of=("self",)).select_related("placement")
        experiment = running.filter(tenant_id=tenant_id, pk=experiment_id, status=Status.RUNNING).first()
        if experiment is None:
            return False
        analysis = analyse(experiment, now=now)
        experiment.looks = {
            "ratio": analysis.ratio_p,
            **{each.outcome.arm: {"metric": each.metric.p, "guard": each.guard.p} for each in analysis.comparisons},
        }
        experiment.looked_at = now
        if analysis.verdict:
            experiment.status, experiment.verdict = Status.DECIDED, analysis.verdict
            data = {"experiment": experiment.pk, "name": experiment.name, "placement": experiment.placement.name}
            emit(tenant_id=tenant_id, type="experiment.decided", data=data | {"verdict": analysis.verdict}, now=now)
        experiment.save(update_fields=["looks", "looked_at", "status", "verdict"])
    return bool(analysis.verdict)


def _judged(
    experiment: Experiment, arms: Sequence[ExperimentArm], outcomes: Sequence[ArmOutcome], now: datetime
) -> InterimAnalysis:
    control, others = outcomes[0], outcomes[1:]
    alpha = experiment.alpha / max(1, len(others))
    comparisons = []
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
        comparisons.append(ArmComparison(outcome, metric, guard))
    total = sum(arm.percent for arm in arms)
    ratio = sequential_test.ratio_p(
        [outcome.people for outcome in outcomes],
        [arm.percent / total for arm in arms],
        before=experiment.looks.get("ratio", 1.0),
    )
    return InterimAnalysis(control, tuple(comparisons), ratio, _verdict(experiment, comparisons, ratio, alpha, now))


def _share(experiment: Experiment, outcome: ArmOutcome, own: bool) -> Share:
    clicks = (experiment.metric == Experiment.Metric.CLICK) == own
    return outcome.clicks if clicks else outcome.conversions


def _verdict(
    experiment: Experiment, comparisons: Sequence[ArmComparison], ratio: float, alpha: float, now: datetime
) -> str:
    if ratio <= RATIO_ALPHA:
        return "Stopped: the arms' shares of users do not match the configuration, so results are invalid."
    for each in comparisons:
        # The interval, not p, which keeps what once spoke for the arm: it says for sure that the arm is worse now.
        if each.guard.high is not None and each.guard.high < 0:
            return f"Stopped: {each.outcome.arm} is worse in the guard metric."
    called = [each for each in comparisons if each.metric.p <= alpha]
    if called:
        best = max(called, key=lambda each: each.metric.difference)
        return f"{best.outcome.arm} is {'better' if best.metric.difference > 0 else 'worse'} than the control."
    if experiment.started_at and now >= experiment.started_at + timedelta(days=experiment.max_days):
        return "No difference was found in its days."
    return ""


def _copy_rules(arm: ExperimentArm, experiment: Experiment) -> None:
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
