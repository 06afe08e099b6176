"""Typed readers of environment variables.

Every reader takes the variable's name and a default; an invalid value prevents startup with `ImproperlyConfigured`,
which names the variable and what was expected. Secrets may come from a file, named by `NAME_FILE`.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# Options accepted in the query of a database URL: libpq's parameters for TLS, server selection and our name.
_LIBPQ = frozenset(
    (
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslnegotiation",
        "channel_binding",
        "gssencmode",
        "application_name",
        "target_session_attrs",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
    )
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_WORDS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def text(name: str, default: str = "") -> str:
    """Returns the variable without surrounding blanks; an empty one counts as unset."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Returns a boolean, from `true|false|1|0|yes|no`.

    Raises: ImproperlyConfigured for any other word.
    """
    raw = text(name)
    if not raw:
        return default
    try:
        return _WORDS[raw.lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.") from None


def integer(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Returns a whole number within its bounds.

    Raises: ImproperlyConfigured for anything else.
    """
    raw = text(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None
    _bounds(name, value, minimum, maximum)
    return value


def seconds(name: str, default: float, *, minimum: float = 0.0, maximum: float | None = None) -> float:
    """Returns a duration in seconds; decimals are allowed.

    Raises: ImproperlyConfigured for anything else.
    """
    raw = text(name)
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number of seconds, not {raw!r}.") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ImproperlyConfigured(f"{name} must be a finite number of seconds, not {raw!r}.")
    _bounds(name, value, minimum, maximum)
    return value


def share(name: str, default: float) -> float:
    """Reads a share, a number from 0 to 1."""
    return seconds(name, default, maximum=1.0)


def csv(name: str, default: Sequence[str] = ()) -> list[str]:
    """Returns a comma-separated list, without blanks around the items."""
    raw = text(name)
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else list(default)


def header_names(name: str) -> list[str]:
    """Returns a comma-separated list of HTTP header names, in lower case.

    Raises: ImproperlyConfigured for an invalid header name (RFC 9110, 5.1), including `*`.
    """
    found = [word.lower() for word in csv(name)]
    if wrong := [word for word in found if word == "*" or not _HEADER_NAME.fullmatch(word)]:
        raise ImproperlyConfigured(f"{name} must be names of headers, separated by commas; {wrong[0]!r} is not one.")
    return found


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """Returns one of the allowed values.

    Raises: ImproperlyConfigured for any other.
    """
    raw = text(name, default)
    if raw not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {raw!r}.")
    return raw


def rate(name: str, default: str) -> str:
    """Returns a rate such as `60/m`: a number of at least 1, and s, m, h or d, with an optional number before it.

    Raises: ImproperlyConfigured for anything else.
    """
    raw = text(name, default)
    if not re.fullmatch(r"[1-9][0-9]{0,8}/([1-9][0-9]{0,3})?[smhd]", raw, re.ASCII):
        raise ImproperlyConfigured(f"{name} must be a rate such as 60/m or 100/10s, not {raw!r}.")
    return raw


def url(name: str, default: str = "") -> str:
    """Returns an http:// or https:// URL.

    Raises: ImproperlyConfigured for anything else.
    """
    raw = text(name, default)
    if raw:
        try:
            parts = urlsplit(raw)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ImproperlyConfigured(f"{name} must be a URL that starts with https:// or http://, not {raw!r}.")
    return raw


def secret(name: str, default: str = "") -> str:
    """Returns a secret from `NAME`, or from the file named by `NAME_FILE`.

    Raises: ImproperlyConfigured if both are set, or the file cannot be read or is empty.
    """
    path = text(f"{name}_FILE")
    value = text(name)
    if path and value:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
    if not path:
        return value or default
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read ({error.strerror}).") from None
    if not content:
        raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
    return content


def database(name: str, url: str) -> dict[str, Any]:
    """Returns Django's database settings from `postgresql://user:password@host:port/name?sslmode=verify-full`.

    Raises: ImproperlyConfigured for another scheme, a URL without host or name, or an unknown option.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is not a URL; percent-encode special characters.") from None
    if parts.fragment:
        raise ImproperlyConfigured(f"{name} contains a #: percent-encode special characters of the password (%23).")
    database_name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must start with postgresql://; no other database is supported.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = options.pop("host", "") or parts.hostname  # ?host=/run/postgresql is a Unix socket's folder
    if unknown := sorted(set(options) - _LIBPQ):
        raise ImproperlyConfigured(f"{name} has an unknown option: {', '.join(unknown)}.")
    if not host or not database_name:
        raise ImproperlyConfigured(f"{name} must name a host and a database: postgresql://user@host/name.")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ImproperlyConfigured(f"{name} has a port that is not a number from 1 to 65535.")
    return {
        "NAME": database_name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port or 5432,
        "OPTIONS": options,
    }


def _bounds(name: str, value: float, minimum: float, maximum: float | None) -> None:
    if value < minimum or (maximum is not None and value > maximum):
        limit = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ImproperlyConfigured(f"{name} must be {limit}, not {value}.")
