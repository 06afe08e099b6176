"""Near line: a user's lists follow their events within seconds, with the active artefact and without AI.

The order of the steps is the guarantee: the history is read, the list is written, Redis is updated, and only then is
the user's mark cleared, if no event arrived since the read. A worker killed in between leaves the mark for the sweep.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.conf import settings

from accounts.tenancy import scope
from core import clock
from core.queue import enqueue
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import StoredList
from recommendations.interactions.task_names import RESCORE
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.lists import profiles
from recommendations.pipeline.lists.entries import tenant_locale
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.nearline import claims, snapshots
from recommendations.pipeline.nearline.snapshots import NewList, Snapshot
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.stored_form import encode_draft

# Users that one task rescores together if more wait than it was enqueued for.
TOGETHER = 32
# Users that have waited this share of the debounce come along: less than users have that share a message
# (recommendations.interactions.triggers).
WAITED = 0.3
_NO_LIST: tuple[int, StoredList | None] = (0, None)


def rescore(*, tenant_id: int, user_pks: Collection[int]) -> int:
    """Replaces the lists of those of the users that wait, and of others along with them; returns how many.

    Without an active build nothing happens, and they keep waiting.

    Raises:
        RedisUnavailable: They keep waiting.
    """
    return rescore_claimed(tenant_id=tenant_id, claimed=claim(tenant_id=tenant_id, user_pks=user_pks))


def min_wait() -> float:
    """The number of seconds after which a waiting user comes along."""
    return float(settings.NEARLINE_DEBOUNCE_SECONDS * WAITED)


def claim(*, tenant_id: int, user_pks: Collection[int]) -> list[int]:
    """Claims those of the users that wait, and others along with them; `rescore_claimed` must follow."""
    return claims.claim_users(tenant_id=tenant_id, pks=user_pks, together=TOGETHER, waited=min_wait())


def rescore_claimed(*, tenant_id: int, claimed: Sequence[int]) -> int:
    """Replaces the lists of users that `claim` returned; returns how many.

    Raises:
        RedisUnavailable: They keep waiting.
    """
    if not claimed:
        return 0
    try:
        with scope.tenant_without_savepoints(tenant_id):
            active = snapshots.active_snapshots(tenant_id=tenant_id)
            users = profiles.read_dirty(tenant_id=tenant_id, pks=claimed)
            # After the histories were read: a swap compares it with the moment before a build read them (publish).
            now = clock.database_now()
        written = [_rescore_snapshot(snapshot, users, now) for snapshot in active]
    except BaseException:
        claims.release_users(tenant_id=tenant_id, pks=claimed)
        raise
    done = set.intersection(*written) if written else set()
    with scope.tenant(tenant_id):
        cleared = claims.clear_marks(
            tenant_id=tenant_id, versions={user.pk: user.version for user in users if user.pk in done}
        )
        # Events arrived meanwhile, and their senders saw that the user waits already.
        if waiting := [pk for pk in claimed if pk not in cleared]:
            claims.release_users(tenant_id=tenant_id, pks=waiting)
            enqueue(RESCORE, countdown=settings.NEARLINE_DEBOUNCE_SECONDS, tenant_id=tenant_id, user_pks=waiting)
    return len(done)


def _rescore_snapshot(snapshot: Snapshot, users: Sequence[UserProfile], now: datetime) -> set[int]:
    """Writes the users' lists at one placement to PostgreSQL and Redis; returns the users whose lists were written."""
    tenant_id, placement = snapshot.tenant_id, snapshot.placement_id
    artefact = store.load(artefact_id=snapshot.artefact_id, file=snapshot.file)
    locale = tenant_locale(tenant_id)
    with scope.tenant_without_savepoints(tenant_id):
        loaded = live.with_fresh_items(artefact, tenant_id=tenant_id, build_id=snapshot.build_id)
        stored = snapshots.read_lists(snapshot, [user.pk for user in users])
    previous = [stored.get(user.pk, _NO_LIST) for user in users]
    assignments = variants.load_assignments(
        tenant_id=tenant_id, placements=[placement], versions=snapshot.versions, loaded=loaded
    )
    assignment = assignments[placement]
    # The arm that the stored list names, not the one that a build would choose now: a list and its arm change together.
    labels = [assignment.kept_label(old.provenance.arm) if old else "" for _, old in previous]
    # One transaction from the reads to the write. Nothing in it waits for another server.
    with scope.tenant_without_savepoints(tenant_id):
        generated = variants.generate_by_variant(
            tenant_id=tenant_id,
            users=users,
            assignments=assignments,
            labels={placement: labels},
            texts=False,
            now=now,
            locale=locale,
        )
        lists: dict[int, NewList] = {}
        rows = zip(generated.drafts[placement].values(), labels, previous, strict=True)
        for generated_draft, label, (version, old) in rows:
            draft = generated_draft.with_ai_reasons_of(old) if old else generated_draft
            draft = draft.in_arm(label, old.chance.share if old and label else 1.0)
            body = encode_draft(
                draft,
                recipe=assignment.recipe_for(label),
                generated=generated,
                build_id=snapshot.build_id,
                version=version + 1,
                now=now,
                locale=locale,
            )
            lists[draft.user.pk] = NewList(draft, version + 1, body)
        written = snapshots.write_lists(snapshot, lists, now)
    list_cache.set_many(
        (keys.user_list(tenant_id, snapshot.placement, lists[pk].draft.user.user_id), lists[pk].body)
        for pk in sorted(written)
    )
    return written
