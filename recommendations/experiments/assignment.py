"""Deterministic assignment of users to the arms of a placement's running experiment, in the configured shares.

Each user has a slot from 0 to 99 (`accounts.tenancy.flags.bucket`, independent for each experiment), and each slot
belongs to an arm or to none. An arm fills a region of its own from the start, and then the slots that others leave
free, from the end. So a change of shares moves as few users as possible, and none between two arms that both grow into
free slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.tenancy import flags
from recommendations.experiments.models import Experiment, ExperimentArm

SLOTS = 100
_BUCKETS_PER_SLOT = 10_000 // SLOTS


class Arm(NamedTuple):
    """The recipe of an arm's lists; `rules` and `artefact_id` are None for the placement's defaults."""

    label: str
    ai: bool
    rules: dict[str, Any] | None
    artefact_id: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arms of a placement's running experiment and the users in them."""

    tenant_id: int
    experiment_id: int
    arms: tuple[Arm, ...]
    slots: tuple[int | None, ...]

    def arm_of(self, user_id: str) -> str | None:
        """The label of the user's arm; None for users outside the experiment."""
        bucket = flags.bucket(f"experiment:{self.experiment_id}", tenant_id=self.tenant_id, user_id=user_id)
        arm = self.slots[bucket // _BUCKETS_PER_SLOT]
        return None if arm is None else self.arms[arm].label

    def share_of(self, label: str | None) -> float:
        """The share of all users that are in this arm; in no arm, for None."""
        own = [arm is not None and self.arms[arm].label for arm in self.slots]
        return own.count(label if label is not None else False) / SLOTS


def running_assignment(*, tenant_id: int, placement_id: int) -> Assignment | None:
    """The assignment of a placement's running experiment; None without one. Call it in the tenant's scope."""
    experiment = Experiment.objects.filter(
        tenant_id=tenant_id, placement_id=placement_id, status__in=Experiment.ASSIGNING
    ).first()
    if experiment is None:
        return None
    arms = list(ExperimentArm.objects.filter(tenant_id=tenant_id, experiment=experiment).order_by("letter"))
    return Assignment(
        tenant_id,
        experiment.pk,
        tuple(Arm(arm.label, arm.ai, arm.rules, arm.artefact_id) for arm in arms),
        allocate_slots([arm.percent for arm in arms]),
    )


def allocate_slots(shares: Sequence[int]) -> tuple[int | None, ...]:
    """The arm of each slot, for arms with these percentages (at most 100 in total)."""
    slots: list[int | None] = [None] * SLOTS
    starts = [number * SLOTS // len(shares) for number in range(len(shares))] + [SLOTS]
    for arm, share in enumerate(shares):
        own = range(starts[arm], min(starts[arm] + share, starts[arm + 1]))
        slots[own.start : own.stop] = [arm] * len(own)
    free = [slot for slot in reversed(range(SLOTS)) if slots[slot] is None]
    for arm, share in enumerate(shares):
        missing = share - (starts[arm + 1] - starts[arm])
        for slot in free[: max(0, missing)]:
            slots[slot] = arm
        free = free[max(0, missing) :]
    return tuple(slots)
