"""Popular items by segment: counted like the popular list of all time, over the users in the segment."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import MAX_ITEMS, Entry
from recommendations.catalog import availability
from recommendations.list_kinds import SEGMENT
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import decayed_counts, popular
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import POPULAR, cached_reason
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, ReferenceList
from recommendations.placements.fallback_policy import segment_subject
from recommendations.placements.rules import SEGMENTS
from recommendations.placements.versions import rules_of_versions

# Only the largest segments of a rule have lists: an attribute with a value per user makes none.
MAX_SEGMENTS = 500
# A smaller segment would reveal what a few users chose, and a rare name may identify them.
MIN_USERS = 5
_ANY_USER = """
    SELECT EXISTS (SELECT FROM recommendations_enduser WHERE tenant_id = %(tenant)s AND {has_segment})
"""
_COUNTED = f"""
    WITH counted AS MATERIALIZED ({decayed_counts.UNWEIGHTED_PAIRS}),
    members AS MATERIALIZED (
        SELECT DISTINCT p.id, named.segment
        FROM recommendations_enduser AS p CROSS JOIN LATERAL {{segments}} AS named (segment)
        WHERE p.tenant_id + 0 = %(tenant)s AND p.id IN (SELECT end_user_id FROM counted)
    ), largest AS MATERIALIZED (
        SELECT segment FROM members GROUP BY segment HAVING count(*) >= %(min_users)s
        ORDER BY count(*) DESC, segment LIMIT %(max_segments)s
    ), summed AS MATERIALIZED (
        SELECT members.segment, counted.item_id, sum(counted.score) AS score
        FROM largest JOIN members USING (segment) JOIN counted ON counted.end_user_id = members.id
        GROUP BY members.segment, counted.item_id
    ), ranked AS (
        SELECT segment, item_id, score,
            row_number() OVER (PARTITION BY segment ORDER BY score DESC, item_id) AS rank
        FROM summed
    )
    SELECT ranked.segment, c.item_id, ranked.score
    FROM ranked JOIN recommendations_item AS c ON c.id = ranked.item_id AND c.tenant_id + 0 = %(tenant)s
    WHERE ranked.rank <= %(limit)s ORDER BY ranked.segment, ranked.rank
"""  # noqa: S608  # constants only
# A text or a list of texts (`recommendations.placements.fallback_policy.segment_subjects` reads them alike).
_OF_ATTRIBUTE = """
    jsonb_array_elements_text(CASE jsonb_typeof(p.attributes -> %(attribute)s)
        WHEN 'array' THEN p.attributes -> %(attribute)s
        WHEN 'string' THEN jsonb_build_array(p.attributes -> %(attribute)s)
        ELSE '[]'::jsonb END)
"""


def popular_by_segment(
    *, tenant_id: int, by: str, withdrawn: Collection[str], locale: str, now: datetime
) -> dict[str, list[Entry]]:
    """Entries by subject, best first, without withdrawn items; for the largest segments of MIN_USERS users or more."""
    own = by == SEGMENTS
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        parameters = decayed_counts.parameters(
            tenant_id=tenant_id, now=now, half_life_days=popular.HALF_LIFE_DAYS, window_days=popular.WINDOW_DAYS
        )
        parameters |= {
            "limit": MAX_ITEMS,
            "max_segments": MAX_SEGMENTS,
            "min_users": MIN_USERS,
            "attribute": by.removeprefix("attributes."),
        }
        has_segment = "segments <> '{}'" if own else "attributes ? %(attribute)s"
        cursor.execute(_ANY_USER.format(has_segment=has_segment), parameters)
        if not cursor.fetchone()[0]:
            return {}
        cursor.execute(_COUNTED.format(segments="unnest(p.segments)" if own else _OF_ATTRIBUTE), parameters)
        rows = cursor.fetchall()
    reason = cached_reason(SEGMENT.key, (), locale)
    entries: dict[str, list[Entry]] = {}
    for segment, item_id, score in rows:
        if item_id not in withdrawn and (subject := segment_subject(by, segment)):
            entries.setdefault(subject, []).append(Entry(item_id, round(float(score), 6), reason, (), SEGMENT.key))
    return entries


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Makes the list of each segment that the build's placements name, not saved yet."""
    tenant_id = build.tenant_id
    lists = []
    with scope.tenant(tenant_id):
        withdrawn = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
    for by in sorted(_segmentations(build)):
        found = popular_by_segment(tenant_id=tenant_id, by=by, withdrawn=withdrawn, locale=locale, now=now)
        with scope.tenant(tenant_id):
            item_ids = {entry.item_id for entries in found.values() for entry in entries}
            facts = item_facts.load_facts(tenant_id=tenant_id, item_ids=item_ids)
        for subject, entries in found.items():
            if present := [entry for entry in entries if entry.item_id in facts]:
                lists.append(
                    reference_list(
                        SEGMENT,
                        build=build,
                        entries=present,
                        facts=facts,
                        source=POPULAR,
                        now=now,
                        locale=locale,
                        subject=subject,
                        version=version,
                    )
                )
    return lists


def _segmentations(build: Build) -> set[str]:
    """The `segment_by` of the build's placements that fall back to segments."""
    with scope.tenant(build.tenant_id):
        rules = rules_of_versions(tenant_id=build.tenant_id, versions=build.versions)
    return {each.segment_by for each in rules.values() if SEGMENT.key in each.fallback}
