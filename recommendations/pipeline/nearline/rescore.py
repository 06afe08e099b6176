"""Near line: a user's lists follow their events within seconds, with the active artefact and without AI.

The order of the steps is the guarantee: the history is read, the list is written, Redis is updated, and only then is
the user's mark cleared, if no event arrived since the read. A worker killed in between leaves the mark for the sweep.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from accounts.tenancy import scope
from core.queue import enqueue
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import StoredList
from recommendations.interactions.task_names import RESCORE
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.lists.entries import tenant_locale
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.nearline import claims, snapshots
from recommendations.pipeline.nearline.snapshots import ListKey, NewList, Snapshot, StoredLists
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.stored_form import encode_draft

# Users that one task rescores together if more wait than it was enqueued for.
TOGETHER = 32
# Users that have waited this share of the debounce come along: less than users have that share a message
# (recommendations.interactions.triggers).
WAITED = 0.3
_NO_LIST: tuple[int, StoredList | None] = (0, None)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Claimed users, by primary key, and the snapshots that their lists are in."""

    tenant_id: int
    pks: Sequence[int]
    snapshots: Sequence[Snapshot]


def rescore(*, tenant_id: int, user_pks: Collection[int]) -> int:
    """Replaces the lists of those of the users that wait, and of others along with them; returns how many.

    Without an active build nothing happens, and they keep waiting.

    Raises:
        RedisUnavailable: They keep waiting.
    """
    return rescore_claimed(claim(tenant_id=tenant_id, user_pks=user_pks))


def min_wait() -> float:
    """The number of seconds after which a waiting user comes along."""
    return float(settings.NEARLINE_DEBOUNCE_SECONDS * WAITED)


def claim(*, tenant_id: int, user_pks: Collection[int]) -> Claimed:
    """Claims those of the users that wait, and others along with them; `rescore_claimed` must follow."""
    with scope.tenant_without_savepoints(tenant_id):
        pks = claims.claim_users(tenant_id=tenant_id, pks=user_pks, together=TOGETHER, waited=min_wait())
        active = snapshots.active_snapshots(tenant_id=tenant_id) if pks else []
    return Claimed(tenant_id, pks, active)


def rescore_claimed(claimed: Claimed) -> int:
    """Replaces the lists of users that `claim` returned; returns how many.

    Raises:
        RedisUnavailable: They keep waiting.
    """
    tenant_id, pks = claimed.tenant_id, claimed.pks
    if not pks:
        return 0
    try:
        users, done = _replace_lists(claimed)
    except BaseException:
        claims.release_users(tenant_id=tenant_id, pks=pks)
        raise
    with scope.tenant_without_savepoints(tenant_id):
        cleared = claims.clear_marks(
            tenant_id=tenant_id, versions={user.pk: user.version for user in users if user.pk in done}
        )
        # Events arrived meanwhile, and their senders saw that the user waits already.
        if waiting := [pk for pk in pks if pk not in cleared]:
            claims.release_users(tenant_id=tenant_id, pks=waiting)
            enqueue(RESCORE, countdown=settings.NEARLINE_DEBOUNCE_SECONDS, tenant_id=tenant_id, user_pks=waiting)
    return len(done)


def _replace_lists(claimed: Claimed) -> tuple[Sequence[UserProfile], set[int]]:
    """Writes the users' lists at all placements to PostgreSQL and Redis; returns the users, and those who have all."""
    tenant_id = claimed.tenant_id
    if not claimed.snapshots:
        return (), set()
    # Before the transaction, in which nothing waits for another server.
    artefacts = [
        (store.load(artefact_id=each.artefact_id, file=each.file), each.settings.load_artefacts())
        for each in claimed.snapshots
    ]
    # One transaction from the reads to the write.
    with scope.tenant_without_savepoints(tenant_id):
        users = profiles.read_dirty(tenant_id=tenant_id, pks=claimed.pks)
        # After the histories were read: a swap compares its moment with the one before a build read them (publish).
        present = snapshots.read_lists(claimed.snapshots, [user.pk for user in users])
        lists: dict[ListKey, NewList] = {}
        for each, (loaded, others) in zip(claimed.snapshots, artefacts, strict=True):
            lists |= _lists_of_snapshot(each, loaded, others, users, present)
        written = snapshots.write_lists(tenant_id, lists, present.now)
    names = {pk: name for each in claimed.snapshots for pk, name in each.placements.items()}
    list_cache.set_many(
        (keys.user_list(tenant_id, names[key.placement_id], lists[key].draft.user.user_id), lists[key].body)
        for key in sorted(written)
    )
    # A user is done if every list was written.
    return users, {key.user_pk for key in written} - {key.user_pk for key in lists.keys() - written}


def _lists_of_snapshot(
    snapshot: Snapshot,
    artefact: Loaded,
    others: Mapping[int, Loaded],
    users: Sequence[UserProfile],
    present: StoredLists,
) -> dict[ListKey, NewList]:
    """The users' next lists at the placements of one snapshot. Call it in the tenant's scope."""
    tenant_id, locale = snapshot.tenant_id, tenant_locale(snapshot.tenant_id)
    loaded = live.with_fresh_items(
        artefact, tenant_id=tenant_id, build_id=snapshot.build_id, revision=snapshot.revision
    )
    assignments = snapshot.settings.assignments(loaded, others)
    previous = {pk: [present.lists.get(ListKey(pk, user.pk), _NO_LIST) for user in users] for pk in snapshot.placements}
    # The arm that the stored list names, not the one that a build would choose now: a list and its arm change together.
    labels = {
        pk: [assignments[pk].kept_label(old.provenance.arm) if old else "" for _, old in rows]
        for pk, rows in previous.items()
    }
    generated = variants.generate_by_variant(
        tenant_id=tenant_id,
        users=users,
        assignments=assignments,
        labels=labels,
        texts=False,
        now=present.now,
        locale=locale,
        withdrawn=present.withdrawn,
    )
    lists: dict[ListKey, NewList] = {}
    for pk, drafts in generated.drafts.items():
        rows = zip(drafts.values(), labels[pk], previous[pk], strict=True)
        for generated_draft, label, (version, old) in rows:
            draft = generated_draft.with_ai_reasons_of(old) if old else generated_draft
            draft = draft.in_arm(label, old.chance.share if old and label else 1.0)
            body = encode_draft(
                draft,
                recipe=assignments[pk].recipe_for(label),
                generated=generated,
                build_id=snapshot.build_id,
                version=version + 1,
                now=present.now,
                locale=locale,
            )
            lists[ListKey(pk, draft.user.pk)] = NewList(snapshot.build_id, draft, version + 1, body)
    return lists
