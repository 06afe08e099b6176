"""Who somebody is now whose id was merged into another person's."""

from collections.abc import Collection

from recommendations.erasures.log import digest
from recommendations.erasures.models import FormerId


def now_called(*, tenant_id: int, user_ids: Collection[str]) -> dict[str, dict[int, str]]:
    """Of each id that was merged, the people it became: their primary keys and ids of today. In the caller's scope."""
    if not user_ids:
        return {}
    names = {digest(tenant_id, user_id): user_id for user_id in user_ids}
    merged = FormerId.objects.filter(tenant_id=tenant_id, digest__in=list(names)).order_by()
    found: dict[str, dict[int, str]] = {}
    for name, pk, user_id in merged.values_list("digest", "end_user_id", "end_user__user_id"):
        found.setdefault(names[name], {})[pk] = user_id
    return found
