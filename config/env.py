"""Typed readers of the environment.

Every reader takes the variable's name and a default; a variable that is set to nonsense stops the start with
`ImproperlyConfigured`, which says what was expected. Secrets may come from a file: `NAME_FILE` names it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_WORDS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def text(name: str, default: str = "") -> str:
    """The variable without surrounding blanks; an empty one counts as unset."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """True or false, from `true|false|1|0|yes|no`.

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
    """A whole number within its bounds.

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
    """A duration in seconds; decimals allowed.

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


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    """A list, separated by commas; blanks around the words do not count."""
    raw = text(name)
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else list(default)


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """One of the allowed words.

    Raises: ImproperlyConfigured for any other.
    """
    raw = text(name, default)
    if raw not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {raw!r}.")
    return raw


def secret(name: str, default: str = "") -> str:
    """A secret from `NAME`, or from the file that `NAME_FILE` names.

    Raises: ImproperlyConfigured when both are set, or the file cannot be read or is empty.
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


def database(name: str, url: str) -> dict[str, object]:
    """Django's database settings from `postgresql://user:password@host:port/name`.

    Raises: ImproperlyConfigured for another scheme or a URL without host or name.
    """
    parts = urlsplit(url)
    database_name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must start with postgresql://; no other database is supported.")
    if not parts.hostname or not database_name:
        raise ImproperlyConfigured(f"{name} must name a host and a database: postgresql://user@host/name.")
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is not a number from 1 to 65535.") from None
    return {
        "NAME": database_name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": port or 5432,
    }


def _bounds(name: str, value: float, minimum: float, maximum: float | None) -> None:
    if value < minimum or (maximum is not None and value > maximum):
        limit = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ImproperlyConfigured(f"{name} must be {limit}, not {value}.")
