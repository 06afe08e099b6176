"""Validates a ranking: whatever comes back, every candidate appears exactly once.

Unknown, malformed and repeated numbers are dropped. Candidates that were not named go back to the place that the
algorithm gave them. No candidate rises by more than a few places, and none whose texts were withheld moves at all: a
screen for hostile texts cannot know every phrase, so what a text can gain is bounded by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from recommendations.ai.protocol import ProviderError
from recommendations.ai.reranking.fact_sheet import FactSheet


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairedOrder:
    """A repaired ranking of candidate numbers, and what had to be repaired."""

    numbers: tuple[int, ...]
    unknown: int
    duplicate: int
    missing: int


def repair_order(answered: Sequence[object], *, sheet: FactSheet, max_rise: int) -> RepairedOrder:
    """Return a permutation of the candidates' numbers that keeps as much of `answered` as is allowed.

    Raises:
        ProviderError: `invalid`, when less than half of the candidates was named.
    """
    count = len(sheet.candidates)
    valid: list[int] = []
    unknown = duplicate = 0
    for number in answered:
        if not is_candidate_number(number, count=count):
            unknown += 1
        elif number in valid:
            duplicate += 1
        else:
            valid.append(number)
    if 2 * len(valid) < count:
        raise ProviderError("invalid", detail=f"only {len(valid)} of {count} candidates were named")
    missing = count - len(valid)
    numbers = _placed(_with_missing(valid, sheet=sheet), sheet=sheet, max_rise=max_rise)
    return RepairedOrder(numbers=numbers, unknown=unknown, duplicate=duplicate, missing=missing)


def is_candidate_number(number: object, *, count: int) -> TypeGuard[int]:
    """Return whether `number` is an index of one of `count` candidates; True and 1.0 are not."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count


def _with_missing(valid: Sequence[int], *, sheet: FactSheet) -> list[int]:
    """Insert the numbers that ``valid`` lacks, best rank first, each at its own rank."""
    numbers = list(valid)
    missing = set(range(len(sheet.candidates))) - set(valid)
    for number in sorted(missing, key=lambda each: sheet.candidates[each].rank):
        numbers.insert(sheet.candidates[number].rank - 1, number)
    return numbers


def _placed(numbers: Sequence[int], *, sheet: FactSheet, max_rise: int) -> tuple[int, ...]:
    """Fill the places from the top, each with the first of ``numbers`` that may stand so high.

    There always is one: of the free candidates with a rank up to the place, fewer have been placed than exist.
    """
    pinned = {each.rank - 1: number for number, each in enumerate(sheet.candidates) if each.withheld}
    waiting = [number for number in numbers if not sheet.candidates[number].withheld]
    placed: list[int] = []
    for place in range(len(numbers)):
        if place in pinned:
            placed.append(pinned[place])
            continue
        number = next(each for each in waiting if sheet.candidates[each].rank - 1 - max_rise <= place)
        waiting.remove(number)
        placed.append(number)
    return tuple(placed)
