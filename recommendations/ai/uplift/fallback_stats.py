"""Fallback statistics by tenant and reason, counted where the lists are saved.

The rate is fallbacks / lists meant for AI. Lists not meant for AI (off, no key, gate, control) count apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db.models import F, Sum

from accounts.tenancy import scope
from core.metrics.families import Value
from core.postgres.batches import delete_in_batches
from recommendations.ai.metrics import AI_FALLBACK_RATIO
from recommendations.ai.models import AIFallbackStat

SLOT = timedelta(minutes=5)
MINIMUM_LISTS = 20
"""Minimum for a meaningful rate."""
WINDOWS: Mapping[str, timedelta] = {"5m": SLOT, "24h": timedelta(hours=24)}
_Kind = AIFallbackStat.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackCounts:
    """Lists of a period by AI outcome."""

    meant: int
    fallbacks: Mapping[str, int]
    """By reason."""
    skipped: Mapping[str, int]

    @property
    def ratio(self) -> float | None:
        """Return the share of fallbacks; None below MINIMUM_LISTS."""
        return None if self.meant < MINIMUM_LISTS else sum(self.fallbacks.values()) / self.meant


def record_lists(
    *, tenant_id: int, now: datetime, meant: int, fallbacks: Mapping[str, int], skipped: Mapping[str, int]
) -> None:
    """Count lists; call it in the transaction that saves them, so that a repeated chunk counts once."""
    counts = {(_Kind.MEANT, ""): meant}
    counts |= {(_Kind.FALLBACK, reason): lists for reason, lists in fallbacks.items()}
    counts |= {(_Kind.SKIPPED, reason): lists for reason, lists in skipped.items()}
    slot = _slot_of(now)
    with scope.tenant(tenant_id):
        for (kind, reason), lists in sorted(counts.items()):  # one order for all: no deadlock
            if lists:
                _add(AIFallbackStat(tenant_id=tenant_id, slot=slot, kind=kind, reason=reason), lists)


def load_counts(*, now: datetime, window: timedelta, tenant_id: int | None = None) -> FallbackCounts:
    """Return the counts of the last `window`, of one tenant or of all; the current five minutes are included."""
    rows = AIFallbackStat.objects.filter(slot__gt=_slot_of(now - window), slot__lte=now)
    if tenant_id is None:
        with scope.all_tenants("AI fallback statistics"):
            sums = list(rows.values_list("kind", "reason").annotate(lists=Sum("lists")).order_by("kind", "reason"))
    else:
        rows = rows.filter(tenant_id=tenant_id)
        with scope.tenant(tenant_id):
            sums = list(rows.values_list("kind", "reason").annotate(lists=Sum("lists")).order_by("kind", "reason"))
    return FallbackCounts(
        meant=sum(lists for kind, _, lists in sums if kind == _Kind.MEANT),
        fallbacks={reason: lists for kind, reason, lists in sums if kind == _Kind.FALLBACK},
        skipped={reason: lists for kind, reason, lists in sums if kind == _Kind.SKIPPED},
    )


def measure(*, now: datetime) -> Iterator[Value]:
    """Yield the ratios that alerts watch."""
    for name, window in WINDOWS.items():
        yield AI_FALLBACK_RATIO, (name,), load_counts(now=now, window=window).ratio or 0.0


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete rows older than `keep_days`; return their number."""
    old = AIFallbackStat.objects.filter(slot__lt=now - timedelta(days=keep_days))
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI fallback statistics: retention"))


def _add(row: AIFallbackStat, lists: int) -> None:
    rows = AIFallbackStat.objects.filter(tenant_id=row.tenant_id, slot=row.slot, kind=row.kind, reason=row.reason)
    if not rows.update(lists=F("lists") + lists):
        AIFallbackStat.objects.bulk_create([row], ignore_conflicts=True)
        rows.update(lists=F("lists") + lists)


def _slot_of(now: datetime) -> datetime:
    return now - timedelta(minutes=now.minute % 5, seconds=now.second, microseconds=now.microsecond)
