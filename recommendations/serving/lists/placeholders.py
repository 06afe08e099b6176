"""Placeholders for users without a list: stored in Redis for half a minute, so that PostgreSQL is not asked again.

A placeholder is an empty list that says why there is none, and by which policy it is replaced. If the placement has a
filter, it holds the replacing items that meet it, then the newest items that do.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

from msgspec import structs

from core import deadline
from recommendations import filter_language
from recommendations.cache import list_codec
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance, StoredList, Voice
from recommendations.explanations import templates
from recommendations.list_kinds import LATEST, PINNED
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.page.filtering import Matcher
from recommendations.serving.read import reason_language
from recommendations.serving.read.selectors import NoPersonalList


def encode_placeholders(
    missing: Mapping[str, NoPersonalList], *, cached: CachedLists, resolver: FallbackResolver
) -> dict[str, bytes]:
    """Return the stored form of each user's placeholder. Users are read once for each filter that names them."""
    matchers: dict[str, Matcher] = {}
    for condition in {why.policy.filter for why in missing.values() if why.policy.filter}:
        node = filter_language.parse(condition)
        matcher = Matcher(tenant_id=cached.tenant_id, category="", node=node, now=cached.now, limited=False)
        matcher.introduce(list(missing))
        matchers[condition] = matcher
    bodies = {}
    for user_id, why in missing.items():
        deadline.check()
        bodies[user_id] = _encode(user_id, why, matchers.get(why.policy.filter), cached, resolver)
    return bodies


def _encode(
    user_id: str, why: NoPersonalList, matcher: Matcher | None, cached: CachedLists, resolver: FallbackResolver
) -> bytes:
    tenant_language = reason_language.of_tenant(cached.tenant_id)
    # The requests of an unknown user say which language they read.
    voice = Voice(templates.language(why.locale or tenant_language) if why.is_known else "")
    provenance = Provenance(why.build, 0, "static", cached.now.strftime("%Y-%m-%dT%H:%M:%SZ"), degraded=why.reason)
    policy = why.policy.to_stored()
    if matcher is None:
        return list_codec.encode(provenance=provenance, owner=user_id, entries=[], reading=policy, voice=voice)
    base, entries = _matching(matcher, user_id, why.reason, why.policy, resolver)
    if base is not None:
        provenance = replace(provenance, source=base.provenance.source, artefact=base.provenance.artefact)
    listed = {entry.item_id for entry in entries} | set(why.policy.hide)
    newest = [item_id for item_id in matcher.latest(user_id) if item_id not in listed]
    entries += [Entry(item_id, 0.0, "", (), LATEST.key) for item_id in newest[: MAX_ITEMS - len(entries)]]
    language = voice.language or tenant_language
    return list_codec.encode(
        provenance=provenance,
        owner=user_id,
        entries=[
            structs.replace(entry, reason=templates.explain(part=entry.part, locale=language)) for entry in entries
        ],
        until=base.until if base else {},
        reading=None if entries else policy,
        voice=voice,
    )


def _matching(
    matcher: Matcher, user_id: str, reason: str, policy: FallbackPolicy, resolver: FallbackResolver
) -> tuple[StoredList | None, list[Entry]]:
    """Return the entries that meet the filter, of the first list before the newest items that has any."""
    resolver.load([FallbackPolicy((key,), policy.segments) for key in policy.order])
    for key in takewhile(lambda key: key != LATEST.key, policy.order):
        is_pinned = key == PINNED.key
        lists = [resolver.static_list(reason, pinned=True)] if is_pinned else resolver.stored_lists(policy, key)
        for stored in lists:
            listed = [entry for entry in stored.typed_entries() if not is_pinned or entry.part == PINNED.key]
            matching = matcher.kept(user_id, [entry.item_id for entry in listed]) - set(policy.hide)
            if entries := [entry for entry in listed if entry.item_id in matching]:
                return stored, entries
    return None, []
