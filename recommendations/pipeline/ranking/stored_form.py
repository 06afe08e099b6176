"""The stored form of a user's list: pins applied, with the rules that its reader applies."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from recommendations.cache.list_codec import Provenance
from recommendations.pipeline.lists import entries
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.ranking import pins
from recommendations.pipeline.ranking.generate import GeneratedLists
from recommendations.pipeline.ranking.variants import ListRecipe


def encode_draft(
    draft: Draft,
    *,
    recipe: ListRecipe,
    generated: GeneratedLists[Any],
    build_id: int,
    version: int,
    now: datetime,
    locale: str,
) -> bytes:
    """The body of a stored list. `locale` is for users without one of their own."""
    own = draft.user.locale or locale
    pinned = replace(draft, entries=pins.apply_pins(draft.entries, recipe.rules, generated.available, own))
    return entries.encode_list(
        owner=draft.user.user_id,
        entries=pinned.entries,
        facts=generated.facts,
        provenance=Provenance(
            build=build_id,
            version=version,
            source=draft.source,
            generated_at=entries.rfc3339(now),
            artefact=recipe.loaded.artefact_id,
            degraded=draft.degraded,
            simulated=draft.simulated,
            arm=draft.arm,
        ),
        locale=own,
        reading=pins.reader_rules(pinned, recipe.rules, generated.available, own),
        chance=draft.chance,
    )
