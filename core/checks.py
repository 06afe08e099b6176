"""System checks for configurations that cannot work. Ids are stable; tests and operators go by them."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from core import redis

NO_DATABASE = "core.E001"
NO_REDIS = "core.E002"
BAD_REDIS_URL = "core.E003"
ONE_ROLE = "core.W001"


@register()
def servers_are_named(**_: Any) -> list[CheckMessage]:
    """Both servers must be known before anything starts."""
    found: list[CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(Error("DATABASE_URL is not set.", hint=settings.NO_SERVERS_HINT, id=NO_DATABASE))
    if not settings.REDIS_URL:
        found.append(Error("REDIS_URL is not set.", hint=settings.NO_SERVERS_HINT, id=NO_REDIS))
        return found
    try:
        redis.connect(settings.REDIS_URL)
    except ValueError as error:
        found.append(Error(f"REDIS_URL is not usable: {error}", id=BAD_REDIS_URL))
    except Exception:  # noqa: BLE001  # a cluster's client connects at once; being away is no misconfiguration
        return found
    return found


@register()
def roles_differ(**_: Any) -> list[CheckMessage]:
    """The app must not be the owner: row-level security would guard nothing that the owner can switch off."""
    app, owner = settings.DATABASES["default"], settings.DATABASES["owner"]
    if settings.DATABASE_URL and app["USER"] == owner["USER"]:
        return [
            checks.Warning(
                "The app connects with the owner's database role.",
                hint="Make a second role without SUPERUSER and BYPASSRLS for DATABASE_URL (docs/operations/config.md).",
                id=ONE_ROLE,
            )
        ]
    return []
