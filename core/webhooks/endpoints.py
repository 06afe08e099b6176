"""Secrets of addresses: given, and rotated with a day in which the old one signs as well."""

from datetime import datetime, timedelta

from core.webhooks import signatures
from core.webhooks.models import WebhookEndpoint

OVERLAP = timedelta(hours=24)


def give_secret(endpoint: WebhookEndpoint) -> str:
    """Gives an address that is not saved yet its secret, and returns it: it is shown this once."""
    secret = signatures.new_secret()
    endpoint.secret = signatures.seal(secret)
    return secret


def rotate(endpoint: WebhookEndpoint, *, now: datetime) -> str:
    """A new secret, returned this once. The one before signs beside it for OVERLAP."""
    endpoint.previous_secret, endpoint.previous_until = endpoint.secret, now + OVERLAP
    secret = give_secret(endpoint)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    return secret
