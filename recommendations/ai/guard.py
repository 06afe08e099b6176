"""Validates a ranking: whatever comes back, every candidate appears exactly once.

Unknown, malformed and repeated numbers are dropped. Candidates that were not named, and those whose texts were
withheld, go back to the place that the algorithm gave them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from recommendations.ai.facts import FactSheet
from recommendations.ai.provider import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A repaired ranking of candidate numbers, and what had to be repaired."""

    numbers: tuple[int, ...]
    unknown: int
    duplicate: int
    missing: int


def repair_order(answered: Sequence[object], *, sheet: FactSheet) -> Order:
    """Return a permutation of the candidates' numbers that keeps as much of ``answered`` as is valid.

    Raises:
        ProviderError: ``invalid``, when less than half of the candidates was named.
    """
    count = len(sheet.candidates)
    valid: list[int] = []
    unknown = duplicate = 0
    for number in answered:
        if not is_number(number, count=count):
            unknown += 1
        elif number in valid:
            duplicate += 1
        else:
            valid.append(number)
    if 2 * len(valid) < count:
        raise ProviderError("invalid", detail=f"only {len(valid)} of {count} candidates were named")
    missing = count - len(valid)
    kept = [number for number in valid if not sheet.candidates[number].withheld]
    numbers = _with_returned(kept, sheet=sheet)
    return Order(numbers=numbers, unknown=unknown, duplicate=duplicate, missing=missing)


def is_number(number: object, *, count: int) -> TypeGuard[int]:
    """Tell whether ``number`` names one of ``count`` candidates; True and 1.0 do not."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count


def _with_returned(kept: Sequence[int], *, sheet: FactSheet) -> tuple[int, ...]:
    """Insert the numbers that ``kept`` lacks, best rank first, each at its own rank."""
    numbers = list(kept)
    absent = set(range(len(sheet.candidates))) - set(kept)
    for number in sorted(absent, key=lambda each: sheet.candidates[each].rank):
        numbers.insert(sheet.candidates[number].rank - 1, number)
    return tuple(numbers)
