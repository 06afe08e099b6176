"""What is popular in a segment: counted like what is popular with everybody, over the people who are in it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.interactions import event_weights, reference_time
from recommendations.list_kinds import SEGMENT
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import popular
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build, ReferenceList
from recommendations.placements.fallback_policy import segment_subject
from recommendations.placements.rules import SEGMENTS
from recommendations.placements.versions import rules_of_versions

# Of what a rule makes segments, the largest have lists: an attribute with a value for each person makes none.
MOST = 500
# A list of fewer would tell what a few people chose, and a name that few share may tell who they are.
FEWEST = 5
_THERE = """
    SELECT EXISTS (SELECT FROM recommendations_enduser WHERE tenant_id = %(tenant)s AND {there})
"""
# Each step is MATERIALIZED for the reason given in `popular`.
_COUNTED = """
    WITH counted AS MATERIALIZED (
        SELECT i.end_user_id, i.item_id, max(power(2, -{age} / %(half_life)s)) AS score
        FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND i.type_id <> ALL (%(without)s::integer[])
          AND i.occurred_at > %(as_of)s - make_interval(days => %(window)s)
          AND {happened} > %(as_of)s - make_interval(days => %(window)s)
          AND i.received_at <= %(now)s
        GROUP BY i.end_user_id, i.item_id
    ), members AS MATERIALIZED (
        SELECT DISTINCT p.id, said.segment
        FROM recommendations_enduser AS p CROSS JOIN LATERAL {said} AS said (segment)
        WHERE p.tenant_id + 0 = %(tenant)s AND p.id IN (SELECT end_user_id FROM counted)
    ), largest AS MATERIALIZED (
        SELECT segment FROM members GROUP BY segment HAVING count(*) >= %(fewest)s
        ORDER BY count(*) DESC, segment LIMIT %(most)s
    ), summed AS MATERIALIZED (
        SELECT members.segment, counted.item_id, sum(counted.score) AS score
        FROM largest JOIN members USING (segment) JOIN counted ON counted.end_user_id = members.id
        GROUP BY members.segment, counted.item_id
    ), ranked AS (
        SELECT segment, item_id, score,
            row_number() OVER (PARTITION BY segment ORDER BY score DESC, item_id) AS place
        FROM summed
    )
    SELECT ranked.segment, c.item_id, ranked.score
    FROM ranked JOIN recommendations_item AS c ON c.id = ranked.item_id AND c.tenant_id + 0 = %(tenant)s
    WHERE ranked.place <= %(limit)s ORDER BY ranked.segment, ranked.place
"""
# A text, or a list of texts (`recommendations.placements.fallback_policy.segment_subjects` reads them alike).
_OF_ATTRIBUTE = """
    jsonb_array_elements_text(CASE jsonb_typeof(p.attributes -> %(attribute)s)
        WHEN 'array' THEN p.attributes -> %(attribute)s
        WHEN 'string' THEN jsonb_build_array(p.attributes -> %(attribute)s)
        ELSE '[]'::jsonb END)
"""


def counted(
    *, tenant_id: int, by: str, withheld: Collection[str], locale: str, now: datetime
) -> dict[str, list[Entry]]:
    """Entries by subject, best first, of what may be shown; for the largest segments of FEWEST people or more."""
    without = event_weights.load_event_weights(tenant_id=tenant_id).never_positive
    own = by == SEGMENTS
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "without": without,
        "now": now,
        "half_life": popular.HALF_LIFE_DAYS,
        "window": popular.WINDOW_DAYS,
        "limit": MAX_ITEMS,
        "most": MOST,
        "fewest": FEWEST,
        "attribute": by.removeprefix("attributes."),
    }
    said = explain(part=SEGMENT.key, locale=locale)
    found: dict[str, list[Entry]] = {}
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_THERE.format(there="segments <> '{}'" if own else "attributes ? %(attribute)s"), parameters)
        if not cursor.fetchone()[0]:
            return {}
        parameters["as_of"] = reference_time.as_of(tenant_id=tenant_id, now=now)
        age = popular.AGE_DAYS.format(happened=popular.HAPPENED)
        said_by = "unnest(p.segments)" if own else _OF_ATTRIBUTE
        cursor.execute(_COUNTED.format(said=said_by, age=age, happened=popular.HAPPENED), parameters)
        for segment, item_id, score in cursor.fetchall():
            if item_id not in withheld and (subject := segment_subject(by, segment)):
                found.setdefault(subject, []).append(Entry(item_id, round(float(score), 6), said, (), SEGMENT.key))
    return found


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Make the list of each segment that the build's placements name, not saved yet."""
    tenant_id = build.tenant_id
    provenance = Provenance(build.pk, version, lists.POPULAR, lists.stamp(now), build.artefact_id)
    made = []
    with scope.tenant(tenant_id):
        withheld = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
    for each in sorted(named_by(tenant_id=tenant_id, build=build)):
        found = counted(tenant_id=tenant_id, by=each, withheld=withheld, locale=locale, now=now)
        with scope.tenant(tenant_id):
            named = {entry.item_id for entries in found.values() for entry in entries}
            facts = item_facts.facts(tenant_id=tenant_id, item_ids=named)
        for subject, entries in found.items():
            shown = [entry for entry in entries if entry.item_id in facts]
            if shown:
                body = lists.body(owner="", entries=shown, facts=facts, provenance=provenance, locale=locale)
                made.append(
                    ReferenceList(
                        tenant_id=tenant_id, build=build, kind=SEGMENT.key, subject=subject, body=body, generated_at=now
                    )
                )
    return made


def named_by(*, tenant_id: int, build: Build) -> set[str]:
    """What makes segments at the placements that the build makes lists for."""
    with scope.tenant(tenant_id):
        rules = rules_of_versions(tenant_id=tenant_id, versions=build.versions)
    return {each.segment_by for each in rules.values() if SEGMENT.key in each.fallback}
