"""Outcomes of users after their first impression, by arm and by segment."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from recommendations.attribution.models import Exposure
from recommendations.experiments.sequential_test import Share
from recommendations.history_segments import HEAVY_FROM, segment_of
from recommendations.interactions import event_weights

# Clicks are attributed within seconds; a delay of up to a quarter of an hour changes no counted outcome.
SETTLING = timedelta(minutes=15)
_BY_ARM = """
    WITH people AS (
        SELECT end_user_id, min(arm) AS arm, count(DISTINCT arm) AS arms, min(first_at) AS first_at,
            min(click_at) AS click_at, min(conversion_at) AS conversion_at
        FROM recommendations_exposure
        WHERE tenant_id = %(tenant)s AND placement = %(placement)s AND arm = ANY (%(arms)s) AND first_at <= %(until)s
        GROUP BY end_user_id
    )
    SELECT arm, count(*) FILTER (WHERE arms = 1),
        count(*) FILTER (WHERE arms = 1 AND first_at <= %(ripe)s),
        count(*) FILTER (WHERE arms = 1 AND first_at <= %(ripe)s AND click_at <= first_at + %(horizon)s),
        count(*) FILTER (WHERE arms = 1 AND first_at <= %(ripe)s AND conversion_at <= first_at + %(horizon)s),
        count(*) FILTER (WHERE arms > 1)
    FROM people GROUP BY arm
"""


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """An arm's users. Only those whose horizon is over are compared; `crossed` users were in several arms."""

    arm: str
    people: int
    clicks: Share
    conversions: Share
    crossed: int


def by_arm(
    *, tenant_id: int, placement: str, arms: Sequence[str], horizon: timedelta, until: datetime, now: datetime
) -> list[ArmOutcome]:
    """The outcome of each arm, in the given order, for users with a first page up to `until`. Call it in the scope.

    A user is one case: their pages depend on each other, and counting pages would understate the variance. A case is
    closed `horizon` after the first page, so that cases arrive one by one and never change afterwards, as the
    sequential test requires.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "placement": placement,
        "arms": list(arms),
        "horizon": horizon,
        "until": until,
        "ripe": now - horizon - SETTLING,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BY_ARM, parameters)
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    outcomes = []
    for arm in arms:
        people, ripe, clicks, conversions, crossed = found.get(arm, (0, 0, 0, 0, 0))
        outcomes.append(ArmOutcome(arm, people, Share(ripe, clicks), Share(ripe, conversions), crossed))
    return outcomes


_BY_SEGMENT = """
    WITH cases AS (
        SELECT e.arm, e.click_at <= e.first_at + %(horizon)s AS clicked, (
            SELECT count(*) FROM (
                SELECT DISTINCT i.item_id FROM recommendations_interaction AS i
                WHERE i.end_user_id = e.end_user_id AND i.tenant_id + 0 = %(tenant)s AND i.occurred_at < e.first_at
                    AND i.type_id <> ALL (%(without)s::integer[])
                LIMIT %(heavy)s
            ) AS known
        ) AS known
        FROM recommendations_exposure AS e
        WHERE e.tenant_id = %(tenant)s AND e.placement = %(placement)s AND e.arm = ANY (%(arms)s)
            AND e.first_at BETWEEN %(since)s AND %(ripe)s
        ORDER BY e.first_at DESC LIMIT %(most)s
    )
    SELECT arm, known, count(*), count(*) FILTER (WHERE clicked) FROM cases GROUP BY arm, known
"""
MAX_CASES = 200_000


def by_segment(
    *, tenant_id: int, placement: str, arms: tuple[str, str], since: datetime, horizon: timedelta, now: datetime
) -> dict[str, tuple[Share, Share]]:
    """For each history segment, the users of a week that clicked, in both arms. Call it in the tenant's scope.

    A user's segment is the one before their first page in the week: a click on that page must not move them to another
    segment. The newest MAX_CASES are counted.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "placement": placement,
        "arms": list(arms),
        "since": since,
        "horizon": horizon,
        "ripe": now - horizon - SETTLING,
        "without": event_weights.load_event_weights(tenant_id=tenant_id).never_positive,
        "heavy": HEAVY_FROM,
        "most": MAX_CASES,
    }
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    with connection.cursor() as cursor:
        cursor.execute(_BY_SEGMENT, parameters)
        for arm, known, people, clicked in cursor.fetchall():
            cell = found[segment_of(known), arm]
            cell[0] += people
            cell[1] += clicked
    segments = {segment for segment, _ in found}
    return {segment: (Share(*found[segment, arms[0]]), Share(*found[segment, arms[1]])) for segment in sorted(segments)}


def count_cases(*, tenant_id: int, arms: Sequence[str], since: datetime, horizon: timedelta, now: datetime) -> int:
    """The number of users' weeks of these arms at all placements, as in `by_segment`. Call it in the tenant's scope."""
    ripe = now - horizon - SETTLING
    found = Exposure.objects.filter(tenant_id=tenant_id, arm__in=arms, first_at__range=(since, ripe))
    return found.count() if arms else 0
