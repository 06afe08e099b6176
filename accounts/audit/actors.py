"""Who acts: a member of staff in the admin, or whoever runs a command."""

import getpass
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from accounts.models import AuditEntry
from core.http import client_address


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who does something, and from where."""

    name: str
    id: int | None = None
    tenant_id: int | None = None
    via: str = AuditEntry.Via.ADMIN
    address: str | None = None
    request_id: str = ""


def of_request(request: HttpRequest, user: Any = None) -> Actor:
    """The member of staff who sent the request, or `user`, whom a log-in is about."""
    user = user or request.user
    return Actor(
        name=str(user.get_username()),
        id=user.pk,
        tenant_id=getattr(user, "tenant_id", None),
        address=client_address.of(request),
        request_id=str(getattr(request, "request_id", "")),
    )


def of_command(command: str) -> Actor:
    """The system's user who runs `manage.py <command>`."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        who = "unknown"
    return Actor(name=f"{who} (manage.py {command})"[:150], via=AuditEntry.Via.COMMAND)
