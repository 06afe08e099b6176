"""The constructor of reference lists: lists that belong to an item, a segment or to everyone, not to a user."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from recommendations.cache.list_codec import Entry, Provenance
from recommendations.list_kinds import ListKind
from recommendations.pipeline.lists import entries as list_entries
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.models import Build, ReferenceList


def reference_list(
    kind: ListKind,
    *,
    build: Build,
    entries: Sequence[Entry],
    facts: Mapping[str, ItemFacts],
    source: str,
    now: datetime,
    locale: str,
    subject: str = "",
    version: int = 1,
    reason_kind: str = "",
    titles: tuple[str, ...] = (),
) -> ReferenceList:
    """A row that is not saved yet. `reason_kind` and `titles` are what all of its reasons rest on."""
    return ReferenceList(
        tenant_id=build.tenant_id,
        build=build,
        kind=kind.key,
        subject=subject,
        body=list_entries.encode_list(
            owner="",
            entries=entries,
            facts=facts,
            provenance=Provenance(build.pk, version, source, list_entries.rfc3339(now), build.artefact_id),
            locale=locale,
            reason_kind=reason_kind,
            titles=titles,
        ),
        generated_at=now,
    )
