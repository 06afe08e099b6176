"""Storing the events of a file: column by column, through COPY, once each, however often they are sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import repeat

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import merged_ids
from recommendations.interactions import event_weights, id_resolution, identity, ingest
from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.id_resolution import ResolvedIds
from recommendations.interactions.identity import Sender
from recommendations.interactions.writing import bulk_insert, deduplication
from recommendations.interactions.writing.bulk_insert import NULL
from recommendations.interactions.writing.deduplication import Deduplicated

# The results of a file's rows need no ids.
_CREATED, _DUPLICATE = RowResult("created"), RowResult("duplicate")


def record_file_events(*, tenant_id: int, events: EventColumns, now: datetime) -> list[RowResult]:
    """Stores events in one transaction, as `ingest.record_events` does; returns one result per event, in order.

    The caller holds the lock of the erasure log, so that no user is locked, marks the users at the end of the file
    and asks for the first build.

    Raises:
        Conflict: The users are being erased.
    """
    tenant = tenant_cache.tenant(tenant_id)
    with scope.tenant(tenant_id):
        types = event_weights.resolve_event_types(tenant_id=tenant_id, names=set(events.types))
        ids = id_resolution.resolve_ids(
            tenant_id=tenant_id,
            user_ids=set(events.users),
            item_ids=set(events.items),
            create=tenant is None or tenant.create_unknown,
            now=now,
            lock=False,
        )
        results = [_CREATED] * len(events)
        for place, errors in _refused(events, types, ids).items():
            results[place] = RowResult("rejected", events.event_ids[place], errors)
        unique = _unique(tenant_id, events, results, ids=ids, types=types)
        for place, result in unique.results.items():
            results[place] = result
        late = _copy(tenant_id, events, unique.digests, ids=ids, types=types, now=now)
        for place, result in late.items():
            results[place] = result
    return results


def _refused(events: EventColumns, types: Mapping[str, int], ids: ResolvedIds) -> dict[int, tuple[FieldError, ...]]:
    """The errors of events with names that may not be created."""
    if (
        types.keys() >= set(events.types)
        and ids.users.keys() >= set(events.users)
        and ids.items.keys() >= set(events.items)
    ):
        return {}
    names = zip(events.types, events.users, events.items, strict=True)
    found = {place: ingest.name_errors(*named, types=types, ids=ids) for place, named in enumerate(names)}
    return {place: errors for place, errors in found.items() if errors}


def _unique(
    tenant_id: int, events: EventColumns, results: Sequence[RowResult], *, ids: ResolvedIds, types: Mapping[str, int]
) -> Deduplicated:
    """The new events and the results of the others, as far as can be told before they are inserted."""
    digests = identity.column_digests(events, sender=Sender.BACKEND)
    accepted = [place for place, result in enumerate(results) if result is _CREATED]
    with_ids = {user for user, event_id in zip(events.users, events.event_ids, strict=True) if event_id is not None}
    if (
        len({digests[place] for place in accepted}) == len(accepted)
        and not merged_ids.find_merged_users(tenant_id=tenant_id, user_ids=with_ids)
        and not deduplication.is_any_stored(tenant_id=tenant_id, digests=identity.older_column_digests(events))
    ):
        return Deduplicated({place: digests[place] for place in accepted}, {})
    return deduplication.deduplicate(
        tenant_id=tenant_id, events=events.events(accepted), sender=Sender.BACKEND, ids=ids, types=types
    )


def _copy(
    tenant_id: int,
    events: EventColumns,
    digests: Mapping[int, str],
    *,
    ids: ResolvedIds,
    types: Mapping[str, int],
    now: datetime,
) -> dict[int, RowResult]:
    """Writes the events; the results of those that are stored already."""
    if not digests:
        return {}
    text = _copy_text(events, digests, ids=ids, types=types, now=now)
    old = bulk_insert.copy_events(tenant_id=tenant_id, text=text, count=len(digests), now=now)
    if not old:
        return {}
    late = {place: digest for place, digest in digests.items() if digest in old}
    found = deduplication.find_reused(
        tenant_id=tenant_id,
        events={digest: events.event(place) for place, digest in late.items()},
        ids=ids,
        types=types,
    )
    return {place: found.get(digest, _DUPLICATE) for place, digest in late.items()}


def _copy_text(
    events: EventColumns, digests: Mapping[int, str], *, ids: ResolvedIds, types: Mapping[str, int], now: datetime
) -> str:
    """The rows as COPY reads them, in the order of `bulk_insert.COLUMNS`."""
    users, items, kinds = ({name: str(pk) for name, pk in each.items()} for each in (ids.users, ids.items, types))
    received = {place: ingest.received_at(event, now).isoformat() for place, event in events.odd.items()}
    contexts = {
        place: bulk_insert.copy_cell(bulk_insert.json_text(event.context)) for place, event in events.odd.items()
    }
    whole = events if len(digests) == len(events) else events.take(list(digests))
    arrived = now.isoformat()
    cells = zip(
        map(str, digests),
        whole.stamps,
        [received.get(place, arrived) for place in digests] if received else repeat(arrived),
        map(users.__getitem__, whole.users),
        map(items.__getitem__, whole.items),
        digests.values(),
        map(kinds.__getitem__, whole.types),
        [NULL if value is None else repr(value) for value in whole.values],
        map(bulk_insert.copy_cell, whole.event_ids) if any(whole.event_ids) else repeat(NULL),
        map(bulk_insert.copy_cell, whole.recommendation_ids) if any(whole.recommendation_ids) else repeat(NULL),
        [contexts.get(place, NULL) for place in digests] if contexts else repeat(NULL),
        strict=False,  # constants have no end
    )
    return "\n".join(map("\t".join, cells)) + "\n"
