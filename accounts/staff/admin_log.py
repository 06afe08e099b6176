"""Django's own log of the admin: read, and anonymised, for one object."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

_ERASED = "erased"
_DONE = {1: "added", 2: "changed", 3: "deleted"}


def entries_about(model: type[Model], *, pk: int) -> list[dict[str, Any]]:
    """Returns the actions on the object and their times, without the staff who took them."""
    rows = _entries(model, pk).order_by("pk").values_list("action_time", "action_flag")
    return [{"at": at, "action": _DONE.get(flag, "changed")} for at, flag in rows]


def erase_entries(model: type[Model], *, pk: int) -> int:
    """Anonymises the entries about an object; returns how many.

    The kind of object, the action and the time stay.
    """
    return _entries(model, pk).update(object_repr=_ERASED, change_message="")


def _entries(model: type[Model], pk: int) -> QuerySet[LogEntry]:
    kind = ContentType.objects.get_for_model(model)
    return LogEntry.objects.filter(content_type=kind, object_id=str(pk)).exclude(object_repr=_ERASED)
