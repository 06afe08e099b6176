"""System checks of accounts. Ids are stable; tests and operators go by them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg_pool import PoolTimeout

from accounts.models import Tenant
from accounts.tenancy import scope
from accounts.tokens import access_tokens
from core import origins

BAD_SIGNING_KEY = "accounts.E001"
BAD_TENANT_ORIGIN = "accounts.W001"
SHORT_PUBLICATION = "accounts.E002"
# What /.well-known/jwks.json lets others keep, and how old a process's own copy may be.
_SHORTEST_PUBLICATION = 310


@register()
def tokens_can_be_signed(**_: Any) -> list[CheckMessage]:
    """Signing keys need a key that encrypts them; a given first key must be valid.

    Without a database nothing starts anyway: one error is enough.
    """
    if not settings.DATABASE_URL:
        return []
    try:
        access_tokens.ensure_configured()
    except ImproperlyConfigured as error:
        hint = "docs/operations/config.md says how to make one."
        return [Error(str(error), hint=hint, id=BAD_SIGNING_KEY)]
    return []


@register(Tags.database)
def tenants_origins_are_exact(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """An origin that bypassed the admin's validation, or was entered in development, is ignored: warn about it.

    Only a warning: one tenant's entry must not stop the service for all.
    """
    if "default" not in (databases or ()) or not settings.DATABASE_URL:
        return []
    try:
        with scope.all_tenants("check: tenants' origins"):
            rows = list(Tenant.objects.exclude(allowed_origins=[]).values_list("slug", "allowed_origins"))
    except (OperationalError, InterfaceError, ProgrammingError, PoolTimeout):
        return []  # away, or not migrated yet: neither is a misconfiguration
    return [
        checks.Warning(
            f"Tenant {slug}: the origin {origin!r} {reason}; it is ignored.",
            hint="Correct it in the admin.",
            id=BAD_TENANT_ORIGIN,
        )
        for slug, listed in rows
        for origin in listed
        if (reason := origins.refusal_reason(origin, production=settings.PRODUCTION))
    ]


@register()
def keys_are_published_before_they_sign(**_: Any) -> list[CheckMessage]:
    """A verifier with a cached key set would refuse a new key's tokens until it fetches the set again."""
    if not settings.PRODUCTION or settings.JWT_PUBLISH_SECONDS >= _SHORTEST_PUBLICATION:
        return []
    text = f"JWT_PUBLISH_SECONDS must be at least {_SHORTEST_PUBLICATION}: the published keys are cached for 300 s."
    return [Error(text, hint="docs/operations/config.md", id=SHORT_PUBLICATION)]
