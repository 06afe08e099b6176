"""The origins whose pages may call the API: the deployment's, and each tenant's own.

A page's request carries its tenant in its token, so the response may only be read by pages of that tenant's origins
or of the deployment's. A preflight carries no token: it is answered for every origin on any list.
"""

from django.conf import settings

from accounts.tenancy import tenant_cache
from core.principal import Principal


def may_ask(origin: str) -> bool:
    """Returns true if pages of the origin may call at all, which is the answer to a preflight."""
    return origin in settings.CORS_ALLOWED_ORIGINS or origin in tenant_cache.current_or_empty().origins


def may_read(origin: str, *, principal: Principal | None) -> bool:
    """Returns true if pages of the origin may read the response to this caller; None for an unauthenticated one."""
    if principal is not None and principal.origin and principal.origin != origin:
        return False
    if origin in settings.CORS_ALLOWED_ORIGINS:
        return True
    if principal is None:
        return False
    facts = tenant_cache.current_or_empty().tenants.get(principal.tenant_id)
    return facts is not None and origin in facts.origins
