"""Popular and trending lists of a window.

trending(i) = sum over users of the largest weight(type) * 2 ** (-age / half-life), half-life a third of the window
popular(i)  = users that chose it in the window
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import MAX_ITEMS, Entry
from recommendations.catalog import availability
from recommendations.list_kinds import POPULAR as POPULAR_KIND
from recommendations.list_kinds import TRENDING
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import decayed_counts
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import POPULAR, cached_reason
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, ReferenceList

WINDOWS: Mapping[str, int] = {"1d": 1, "7d": 7, "30d": 30}
HALF_LIFE_SHARE = 1 / 3  # of the window
_SPARE = 100
_COUNTED = f"""
    WITH pairs AS MATERIALIZED ({decayed_counts.WEIGHTED_PAIRS}),
    counted AS MATERIALIZED (
        SELECT item_id, count(*) AS users, sum(score) AS score FROM pairs GROUP BY item_id
    ), best AS MATERIALIZED (
        (SELECT * FROM counted ORDER BY score DESC, item_id LIMIT %(limit)s)
        UNION
        (SELECT * FROM counted ORDER BY users DESC, item_id LIMIT %(limit)s)
    )
    SELECT c.item_id, best.users, best.score
    FROM best JOIN recommendations_item AS c ON c.id = best.item_id AND c.tenant_id + 0 = %(tenant)s
"""  # noqa: S608  # constants only


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Makes the lists of all windows, not saved yet."""
    lists = []
    for window, days in WINDOWS.items():
        with scope.tenant(build.tenant_id):
            withdrawn = set(availability.withdrawn_ids(tenant_id=build.tenant_id, now=now))
            counted = {
                item_id: (float(users), float(score))
                for item_id, users, score in _counted(build.tenant_id, days, now)
                if item_id not in withdrawn
            }
            facts = item_facts.load_facts(tenant_id=build.tenant_id, item_ids=counted)
        for kind, column in ((POPULAR_KIND, 0), (TRENDING, 1)):
            ranked = sorted(counted, key=lambda item_id: (-counted[item_id][column], item_id))
            reason = cached_reason(kind.key, (), locale)
            entries = [
                Entry(item_id, round(counted[item_id][column], 6), reason, (), kind.key)
                for item_id in ranked
                if item_id in facts
            ][:MAX_ITEMS]
            if entries:
                lists.append(
                    reference_list(
                        kind,
                        build=build,
                        entries=entries,
                        facts=facts,
                        source=POPULAR,
                        now=now,
                        locale=locale,
                        subject=window,
                        version=version,
                    )
                )
    return lists


def _counted(tenant_id: int, days: int, now: datetime) -> list[tuple[str, int, float]]:
    half_life = days * HALF_LIFE_SHARE
    parameters = decayed_counts.parameters(tenant_id=tenant_id, now=now, half_life_days=half_life, window_days=days)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {**parameters, "limit": MAX_ITEMS + _SPARE})
        return list(cursor.fetchall())
