"""Letting an API client go, and back in."""

from datetime import datetime

from accounts.models import ApiClient, RefreshFamily
from accounts.tokens import refresh, revocations


def deactivate(*, client: ApiClient, now: datetime) -> None:
    """Ends the client, its tokens and its refresh families, in the caller's scope; refused within 5 seconds."""
    client.active = False
    client.save(update_fields=["active"])
    announce(client=client, now=now)


def announce(*, client: ApiClient, now: datetime) -> None:
    """What follows from a change of the client that is saved already."""
    if not client.active:
        refresh.end_all(client=client, why=RefreshFamily.Why.CLIENT, now=now)
    revocations.client_changed(client)
