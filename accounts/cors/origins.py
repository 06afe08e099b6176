"""The origins whose pages may call the API: the deployment's, and each tenant's own.

A page's request carries its tenant in its token, so the answer may only be read by pages of that tenant's origins, or
of the deployment's. A preflight carries no token: it is answered for every origin on any list.
"""

from django.conf import settings

from accounts.tenancy import tenant_cache
from core.principal import Principal


def may_ask(origin: str) -> bool:
    """Whether pages of the origin may call at all: what a preflight is answered with."""
    return origin in settings.CORS_ALLOWED_ORIGINS or origin in tenant_cache.known().origins


def may_read(origin: str, *, principal: Principal | None) -> bool:
    """Whether pages of the origin may read what this caller is answered; None is an answer to nobody in particular."""
    if principal is not None and principal.origin and principal.origin != origin:
        return False
    if origin in settings.CORS_ALLOWED_ORIGINS:
        return True
    if principal is None:
        return False
    facts = tenant_cache.known().tenants.get(principal.tenant_id)
    return facts is not None and origin in facts.origins
