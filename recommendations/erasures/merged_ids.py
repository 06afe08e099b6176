"""Lookup of users by the ids of users that were merged into them."""

from collections.abc import Collection

from recommendations.erasures.log import digest
from recommendations.erasures.models import FormerId


def find_merged_users(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, dict[int, str]]:
    """The users into whom each id was merged: their current ids by primary key. Call it in the tenant's scope."""
    merges = FormerId.objects.filter(tenant_id=tenant_id).order_by()
    if not user_ids or not merges.exists():
        return {}
    ids = {digest(tenant_id, user_id): user_id for user_id in user_ids}
    merged = merges.filter(digest__in=list(ids))
    users: dict[str, dict[int, str]] = {}
    for user_digest, pk, user_id in merged.values_list("digest", "end_user_id", "end_user__user_id"):
        users.setdefault(ids[user_digest], {})[pk] = user_id
    return users
