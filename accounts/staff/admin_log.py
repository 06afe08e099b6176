"""What Django's admin notes of what staff do: read, and made nameless, for one object."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

_ERASED = "erased"
_DONE = {1: "added", 2: "changed", 3: "deleted"}


def about(model: type[Model], *, pk: int) -> list[dict[str, Any]]:
    """What was done with the object, and when; not by whom, as that is about the member of staff."""
    rows = _entries(model, pk).order_by("pk").values_list("action_time", "action_flag")
    return [{"at": at, "action": _DONE.get(flag, "changed")} for at, flag in rows]


def forget(model: type[Model], *, pk: int) -> int:
    """Takes the object's name and what was noted of it out of the log; returns of how many entries.

    That somebody did something with an object of this kind, and when, stays.
    """
    return _entries(model, pk).update(object_repr=_ERASED, change_message="")


def _entries(model: type[Model], pk: int) -> QuerySet[LogEntry]:
    kind = ContentType.objects.get_for_model(model)
    return LogEntry.objects.filter(content_type=kind, object_id=str(pk)).exclude(object_repr=_ERASED)
