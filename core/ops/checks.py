"""System checks for configurations that cannot work. Ids are stable; tests and operators go by them.

`manage.py` runs them; a web process does so too (`refuse_to_start`), since no command stands before it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connections
from psycopg_pool import PoolTimeout

from core import origins, redis

NO_DATABASE = "core.E001"
NO_REDIS = "core.E002"
BAD_REDIS_URL = "core.E003"
BAD_ORIGIN = "core.E004"
BAD_SECRET_KEY = "core.E005"  # noqa: S105  # an id, not a secret
BAD_BROKER_URL = "core.E006"
NO_HOSTS = "core.E007"
PUBLIC_SECRET_KEY = "core.E008"  # noqa: S105  # an id, not a secret
ONE_ROLE = "core.W001"
ANY_HOST = "core.W002"
EXEMPT_ROLE = "core.W003"
TOO_FEW_PROCESSES = "core.W004"
LOCAL_WEBHOOKS = "core.W005"

_HINT = "docs/operations/config.md"
_MINIMUM_SECRET = 50
_EXEMPTIONS = """
    SELECT 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL SELECT 'has BYPASSRLS' FROM pg_roles WHERE rolname = current_user AND rolbypassrls
    UNION ALL SELECT 'owns tables' WHERE EXISTS (
        SELECT FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user)
"""
_log = structlog.get_logger(__name__)


@register()
def servers_are_named(**_: Any) -> list[CheckMessage]:
    """Both servers must be configured before anything starts."""
    found: list[CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(Error("DATABASE_URL is not set.", hint=settings.NO_SERVERS_HINT, id=NO_DATABASE))
    if not settings.REDIS_URL:
        return [*found, Error("REDIS_URL is not set.", hint=settings.NO_SERVERS_HINT, id=NO_REDIS)]
    found += _unless_usable("REDIS_URL", redis.parse, settings.REDIS_URL, BAD_REDIS_URL)
    if settings.CELERY_BROKER_URL:
        found += _unless_usable("CELERY_BROKER_URL", redis.broker_url, settings.CELERY_BROKER_URL, BAD_BROKER_URL)
    return found


@register()
def webhooks_stay_outside(**_: Any) -> list[CheckMessage]:
    """In production webhooks must not reach private networks."""
    if settings.PRODUCTION and settings.WEBHOOK_ALLOW_LOCAL:
        text = "Webhooks may reach private and local addresses, and go over plain HTTP."
        return [checks.Warning(text, hint=f"Unset WEBHOOK_ALLOW_LOCAL ({_HINT}).", id=LOCAL_WEBHOOKS)]
    return []


@register()
def roles_differ(**_: Any) -> list[CheckMessage]:
    """The app must not be the owner: the owner can switch row-level security off."""
    app, owner = settings.DATABASES["default"], settings.DATABASES["owner"]
    if settings.DATABASE_URL and settings.DATABASE_OWNER_URL and app["USER"] == owner["USER"]:
        return [
            checks.Warning(
                "The app connects with the owner's database role.",
                hint=f"Make a second role without SUPERUSER and BYPASSRLS for DATABASE_URL ({_HINT}).",
                id=ONE_ROLE,
            )
        ]
    return []


@register(Tags.database)
def app_role_is_bound(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Row-level security binds neither a superuser nor a role with BYPASSRLS, and a table's owner can end it."""
    if "default" not in (databases or ()) or not settings.DATABASE_URL:
        return []
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(_EXEMPTIONS)
            exemptions = [reason for (reason,) in cursor.fetchall()]
    except (OperationalError, InterfaceError, PoolTimeout):
        return []  # being away is no misconfiguration
    if not exemptions:
        return []
    text = f"Row-level security does not bind the app's database role: it {' and '.join(exemptions)}."
    hint = f"Give DATABASE_URL a role of its own, without SUPERUSER and BYPASSRLS and owning nothing ({_HINT})."
    return [checks.Warning(text, hint=hint, id=EXEMPT_ROLE)]


@register()
def secret_key_is_secret(**_: Any) -> list[CheckMessage]:
    """Sessions and cursors are signed with it."""
    if not settings.PRODUCTION:
        return []
    try:
        length = len(settings.SECRET_KEY)
    except ImproperlyConfigured:
        length = 0
    if length >= _MINIMUM_SECRET:
        return []
    text = f"SECRET_KEY must be at least {_MINIMUM_SECRET} random characters; it has {length}."
    return [Error(text, hint=f"Set SECRET_KEY, or SECRET_KEY_FILE ({_HINT}).", id=BAD_SECRET_KEY)]


@register()
def published_key_stays_here(**_: Any) -> list[CheckMessage]:
    """With the published key, any reader of this project's source could sign sessions and cursors."""
    if not settings.SECRET_KEY_IS_PUBLIC or settings.LISTEN_HOST in ("127.0.0.1", "::1", "localhost"):
        return []
    text = f"The server would listen on {settings.LISTEN_HOST} with the SECRET_KEY of the project's source."
    hint = f"Set SECRET_KEY (`make up` makes one), or listen on the loopback address ({_HINT})."
    return [Error(text, hint=hint, id=PUBLIC_SECRET_KEY)]


@register()
def hosts_are_named(**_: Any) -> list[CheckMessage]:
    """Without a host every request is refused; with a wildcard, links may point to a foreign host."""
    if not settings.PRODUCTION:
        return []
    if not settings.ALLOWED_HOSTS:
        return [Error("ALLOWED_HOSTS is empty: every request would be refused.", hint=_HINT, id=NO_HOSTS)]
    if "*" in settings.ALLOWED_HOSTS:
        return [checks.Warning("ALLOWED_HOSTS allows any host.", hint="Name the hosts.", id=ANY_HOST)]
    return []


@register()
def origins_are_exact(**_: Any) -> list[CheckMessage]:
    """In production CORS is an exact list of https origins elsewhere."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage] = [
        Error(f"CORS_ALLOWED_ORIGINS: {origin!r} {reason}.", hint="Name exact https:// origins.", id=BAD_ORIGIN)
        for origin in settings.CORS_ALLOWED_ORIGINS
        if (reason := origins.refusal_reason(origin, production=True))
    ]
    loose = (
        "CORS_ALLOW_ALL_ORIGINS",
        "CORS_ORIGIN_ALLOW_ALL",
        "CORS_ALLOWED_ORIGIN_REGEXES",
        "CORS_ORIGIN_REGEX_WHITELIST",
        "CORS_ALLOW_CREDENTIALS",
    )
    hint = "List exact origins in CORS_ALLOWED_ORIGINS."
    found += [Error(f"{name} is set.", hint=hint, id=BAD_ORIGIN) for name in loose if getattr(settings, name, None)]
    return found


@register()
def shares_are_fair(**_: Any) -> list[CheckMessage]:
    """Without Redis a process allows its share of a limit, so the number of processes must be right."""
    if settings.RATE_LIMIT_PROCESSES >= settings.WEB_CONCURRENCY:
        return []
    text = (
        f"RATE_LIMIT_PROCESSES is {settings.RATE_LIMIT_PROCESSES}, and this server alone has {settings.WEB_CONCURRENCY}"
        " web processes: without Redis they would together allow more than a tenant's limit."
    )
    return [checks.Warning(text, hint=f"Count the processes of all servers ({_HINT}).", id=TOO_FEW_PROCESSES)]


def refuse_to_start() -> None:
    """Runs every check, as `manage.py` does before a command, and logs the warnings.

    Raises: ImproperlyConfigured with all errors and their hints.
    """
    found = [each for each in checks.run_checks(databases=["default"]) if not each.is_silenced()]
    connections["default"].close()
    for warning in found:
        if checks.WARNING <= warning.level < checks.ERROR:
            _log.warning("system_check", id=warning.id, text=warning.msg, hint=warning.hint)
    errors = [str(each) for each in found if each.is_serious()]
    if errors:
        raise ImproperlyConfigured("Not started:\n" + "\n".join(errors))


def _unless_usable(name: str, parse: Callable[[str], object], url: str, identity: str) -> list[CheckMessage]:
    try:
        parse(url)
    except ValueError as error:
        return [Error(f"{name} is not usable: {error}", hint=_HINT, id=identity)]
    return []
