"""Progress and outcomes of a build, for progress bars, the admin and reports."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.tenancy import scope
from recommendations.algorithms.validation.report import describe_fold
from recommendations.pipeline.models import Build, Chunk

COUNTED = ("lists", "ai_fallbacks", "ai_skipped")


@dataclass(frozen=True, slots=True)
class Progress:
    """A build at one moment.

    `done` and `total` count chunks; `total` is 0 until the training has ended. `attempts` counts how often workers
    began the current step.
    """

    status: str
    done: int
    total: int
    people: int
    lists: Mapping[str, int] = field(default_factory=dict)
    ai_calls: int = 0
    ai_meant: int = 0
    ai_fallbacks: Mapping[str, int] = field(default_factory=dict)
    ai_skipped: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    error: str = ""
    notes: str = ""

    @property
    def picked_up(self) -> bool:
        """Tell whether a worker has begun it."""
        return self.attempts > 0 or self.status != Build.Status.TRAINING

    @property
    def ended(self) -> bool:
        """Tell whether it is published or has failed."""
        return self.status in (Build.Status.PUBLISHED, Build.Status.FAILED)

    @property
    def fallback_rate(self) -> float:
        """The share of eligible lists that went without AI; 0 if none was eligible."""
        return sum(self.ai_fallbacks.values()) / self.ai_meant if self.ai_meant else 0.0


def progress(*, tenant_id: int, build_id: int) -> Progress:
    """The current progress of a build.

    Raises:
        Build.DoesNotExist: There is no such build.
    """
    with scope.tenant(tenant_id):
        build = Build.objects.get(tenant_id=tenant_id, pk=build_id)
        chunks = Chunk.objects.filter(tenant_id=tenant_id, build_id=build_id)
        states = Counter(chunks.order_by().values_list("status", flat=True))
    outcomes = build.outcomes or total_outcomes(tenant_id=tenant_id, build_id=build_id)
    return Progress(
        status=build.status,
        done=states[Chunk.Status.DONE],
        total=sum(states.values()),
        people=build.people,
        ai_calls=build.ai_calls,
        ai_meant=outcomes.get("ai_meant", 0),
        attempts=build.attempts,
        error=build.error,
        notes=build.notes,
        **{name: outcomes.get(name, {}) for name in COUNTED},
    )


def describe_validation(*, tenant_id: int, build_id: int) -> str:
    """The validation fold that the weights of its lists were chosen on; empty before the training has ended.

    Raises:
        Build.DoesNotExist: There is no such build.
    """
    with scope.tenant(tenant_id):
        build = Build.objects.select_related("artefact").get(tenant_id=tenant_id, pk=build_id)
    return describe_fold(build.artefact.chosen) if build.artefact else ""


def total_outcomes(*, tenant_id: int, build_id: int) -> dict[str, Any]:
    """The sum of the outcomes of the build's chunks."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    meant = 0
    with scope.tenant(tenant_id):
        chunks = Chunk.objects.filter(tenant_id=tenant_id, build_id=build_id, kind=Chunk.Kind.PEOPLE)
        for outcomes in chunks.order_by().values_list("outcomes", flat=True).iterator():
            meant += outcomes.get("ai_meant", 0)
            for name in COUNTED:
                counts[name].update(outcomes.get(name, {}))
    return {"ai_meant": meant, **{name: dict(counts[name]) for name in COUNTED}}
