"""Snapshots of an object before and after a change, safe to store: without secrets and end users' data."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Field, Model

# Fields whose values must not be logged: credentials, and what they are derived from.
_SECRET = re.compile(r"secret|password|passwd|hash|sealed|private|token(?!s)|credential|(^|_)key$|(^|_)body$")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+\Z", re.IGNORECASE)
HIDDEN = "(hidden)"
MOST_CHARACTERS, MOST_MEMBERS = 1000, 200


class Hidden:
    """A value that can be compared but is never shown."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._value == other._value

    def __hash__(self) -> int:
        return hash(repr(self._value))

    def __repr__(self) -> str:
        return HIDDEN


def snapshot(row: Model, *, personal: bool = False) -> dict[str, Any]:
    """Returns the row's values by field, with many-to-many relations. Values of a `personal` row are hidden."""
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:  # noqa: SLF001  # Django's documented name
        if not field.primary_key:
            value = field.value_from_object(row)
            values[field.name] = Hidden(value) if personal or _SECRET.search(field.name) else _named(field, value)
    for field in row._meta.many_to_many:  # noqa: SLF001
        if row.pk is not None:
            members = getattr(row, field.name).all()[:MOST_MEMBERS]
            values[field.name] = sorted(str(member) for member in members)
    return values


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns each field that differs, with `from` and `to`; None if the object did not exist, or no longer does."""
    return {
        name: {"from": _shown(before.get(name)), "to": _shown(after.get(name))}
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }


class _Named:
    """A foreign key, compared by its value and shown with the row's name."""

    def __init__(self, field: "Field[Any, Any]", value: Any) -> None:
        self.field, self.value = field, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def shown(self) -> Any:
        if self.value is None:
            return None
        related: Any = self.field.related_model
        target = getattr(self.field, "target_field", None)
        found = related._base_manager.filter(**{target.name if target else "pk": self.value}).first()  # noqa: SLF001
        return f"{found} (#{self.value})" if found is not None else f"#{self.value}"


def _named(field: "Field[Any, Any]", value: Any) -> Any:
    return _Named(field, value) if field.is_relation else value


def _shown(value: Any) -> Any:
    if isinstance(value, _Named):
        return value.shown()
    if isinstance(value, Hidden):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value[:MOST_MEMBERS]]
    if isinstance(value, Mapping):
        return _mapping(value)
    return _text(str(value))


def _mapping(value: Mapping[Any, Any]) -> Any:
    shown = {
        _text(str(name)): HIDDEN if _SECRET.search(str(name)) else _shown(each)
        for name, each in list(value.items())[:MOST_MEMBERS]
    }
    return shown if len(repr(shown)) <= 4 * MOST_CHARACTERS else _text(repr(shown))


def _text(value: str) -> str:
    """Shortens a text; removes possible credentials from a URL."""
    if _URL.match(value):
        parts = urlsplit(value)
        value = f"{parts.scheme}://{parts.hostname or ''}{parts.path}" + ("?(hidden)" if parts.query else "")
    return value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS] + "…"
