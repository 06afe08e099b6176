"""In which arm of a placement's running experiment somebody is: the same one always, and in the shares that were set.

Everybody has a place from 0 to 99 (`accounts.tenancy.flags.bucket`, drawn anew for each experiment), and each place
belongs to an arm or to none. An arm fills a region of its own from its beginning and only then what others leave free,
from the end. So where shares change, only as many people move as must, and between two arms that both grow into free
places nobody does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.tenancy import flags
from recommendations.experiments.models import Experiment, ExperimentArm

PLACES = 100
_BUCKETS_A_PLACE = 10_000 // PLACES


class Arm(NamedTuple):
    """An arm as its lists are made: `rules` and `artefact` are None where they are those of everybody else."""

    label: str
    ai: bool
    rules: dict[str, Any] | None
    artefact_id: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arms of a placement's running experiment; `arm_of` says who is in which."""

    tenant_id: int
    experiment_id: int
    arms: tuple[Arm, ...]
    places: tuple[int | None, ...]

    def arm_of(self, user_id: str) -> str | None:
        """The label of the person's arm; None for those outside."""
        drawn = flags.bucket(f"experiment:{self.experiment_id}", tenant_id=self.tenant_id, user_id=user_id)
        arm = self.places[drawn // _BUCKETS_A_PLACE]
        return None if arm is None else self.arms[arm].label

    def share_of(self, label: str | None) -> float:
        """The share of all people who are in this arm; of those in none, for None."""
        own = [arm is not None and self.arms[arm].label for arm in self.places]
        return own.count(label if label is not None else False) / PLACES


def running(*, tenant_id: int, placement_id: int) -> Assignment | None:
    """What is to be assigned at a placement now. Inside the tenant's scope."""
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
        places_of([arm.percent for arm in arms]),
    )


def places_of(shares: Sequence[int]) -> tuple[int | None, ...]:
    """Which arm each place belongs to, for arms with these percentages (at most 100 together)."""
    places: list[int | None] = [None] * PLACES
    begins = [number * PLACES // len(shares) for number in range(len(shares))] + [PLACES]
    for arm, share in enumerate(shares):
        own = range(begins[arm], min(begins[arm] + share, begins[arm + 1]))
        places[own.start : own.stop] = [arm] * len(own)
    free = [place for place in reversed(range(PLACES)) if places[place] is None]
    for arm, share in enumerate(shares):
        lacking = share - (begins[arm + 1] - begins[arm])
        for place in free[: max(0, lacking)]:
            places[place] = arm
        free = free[max(0, lacking) :]
    return tuple(places)
