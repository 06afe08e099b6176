"""Actors of audit entries: staff in the admin, or the operating system's user who runs a command."""

import getpass
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from accounts.models import AuditEntry
from core.http import client_address


@dataclass(frozen=True, slots=True)
class Actor:
    """The user behind an action, and the address it came from."""

    name: str
    id: int | None = None
    tenant_id: int | None = None
    via: str = AuditEntry.Via.ADMIN
    address: str | None = None
    request_id: str = ""


def request_actor(request: HttpRequest, user: Any = None) -> Actor:
    """Returns the staff user who sent the request, or `user`, the subject of a log-in."""
    user = user or request.user
    return Actor(
        name=str(user.get_username()),
        id=user.pk,
        tenant_id=getattr(user, "tenant_id", None),
        address=client_address.client_ip(request),
        request_id=str(getattr(request, "request_id", "")),
    )


def command_actor(command: str) -> Actor:
    """Returns the operating system's user who runs `manage.py <command>`."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        who = "unknown"
    return Actor(name=f"{who} (manage.py {command})"[:150], via=AuditEntry.Via.COMMAND)
