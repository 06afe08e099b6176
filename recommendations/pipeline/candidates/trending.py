"""What is chosen now: the popular lists of a window, and the trending ones, which weigh and fade what they count.

    trending(i) = sum over people of the largest weight(type) * 2 ** (-age / half-life), half-life a third of the window
    popular(i)  = people who chose it in the window

So somebody's thousandth event with an item adds nothing. Age and windows count from `interactions.moments.as_of`, so
that data that ended long ago has lists too.
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.interactions import event_weights, reference_time
from recommendations.list_kinds import POPULAR, TRENDING
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates.popular import AGE_DAYS, HAPPENED
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build, ReferenceList

WINDOWS: Mapping[str, int] = {"1d": 1, "7d": 7, "30d": 30}
_SPARE = 100
_COUNTED = f"""
    WITH pairs AS MATERIALIZED (
        SELECT i.item_id, max(said.weight * power(2, -{AGE_DAYS.format(happened=HAPPENED)} / %(half_life)s)) AS score
        FROM recommendations_interaction AS i
        JOIN unnest(%(types)s::integer[], %(weights)s::float8[]) AS said (type_id, weight)
            ON said.type_id = i.type_id
        WHERE i.tenant_id = %(tenant)s
          AND i.occurred_at > %(as_of)s - make_interval(days => %(window)s)
          AND {HAPPENED} > %(as_of)s - make_interval(days => %(window)s)
        GROUP BY i.item_id, i.end_user_id
    ), counted AS MATERIALIZED (
        SELECT item_id, count(*) AS people, sum(score) AS score FROM pairs GROUP BY item_id
    ), best AS MATERIALIZED (
        (SELECT * FROM counted ORDER BY score DESC, item_id LIMIT %(limit)s)
        UNION
        (SELECT * FROM counted ORDER BY people DESC, item_id LIMIT %(limit)s)
    )
    SELECT c.item_id, best.people, best.score
    FROM best JOIN recommendations_item AS c ON c.id = best.item_id AND c.tenant_id + 0 = %(tenant)s
"""  # noqa: S608  # constants only


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """The lists of all windows as they are now, not saved yet."""
    tenant_id = build.tenant_id
    says = [each for each in event_weights.load_event_weights(tenant_id=tenant_id).types if each.weight > 0]
    provenance = Provenance(build.pk, version, lists.POPULAR, lists.stamp(now), build.artefact_id)
    made = []
    for name, days in WINDOWS.items():
        with scope.tenant(tenant_id):
            withheld = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
            counted = {
                item_id: (float(people), float(score))
                for item_id, people, score in _counted(tenant_id, says, days, now)
                if item_id not in withheld
            }
            facts = item_facts.facts(tenant_id=tenant_id, item_ids=counted)
        for kind, column in ((POPULAR, 0), (TRENDING, 1)):
            ranked = sorted(counted, key=lambda item_id: (-counted[item_id][column], item_id))
            said = explain(part=kind.key, locale=locale)
            entries = [
                Entry(item_id, round(counted[item_id][column], 6), said, (), kind.key)
                for item_id in ranked
                if item_id in facts
            ][:MAX_ITEMS]
            if entries:
                body = lists.body(owner="", entries=entries, facts=facts, provenance=provenance, locale=locale)
                made.append(
                    ReferenceList(
                        tenant_id=tenant_id, build=build, kind=kind.key, subject=name, body=body, generated_at=now
                    )
                )
    return made


def _counted(
    tenant_id: int, says: list[event_weights.EventTypeWeight], days: int, now: datetime
) -> list[tuple[str, int, float]]:
    as_of = reference_time.as_of(tenant_id=tenant_id, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTED,
            {
                "tenant": tenant_id,
                "types": [each.type_id for each in says],
                "weights": [each.weight for each in says],
                "as_of": as_of,
                "half_life": days / 3,
                "window": days,
                "limit": MAX_ITEMS + _SPARE,
            },
        )
        return list(cursor.fetchall())
