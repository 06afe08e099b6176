"""Signing secrets of endpoints and signatures of messages, as Standard Webhooks defines them.

A secret is shown once, as `whsec_` and the base64 of its 32 bytes, and stored encrypted with a key derived from
SECRET_KEY. After a change of SECRET_KEY it is unreadable and must be rotated.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from core import encryption
from core.webhooks.models import WebhookEndpoint

PREFIX = "whsec_"
OVERLAP = timedelta(hours=24)
_PURPOSE = b"docent webhook secrets"


class SecretUnreadable(Exception):
    """The secret was encrypted with another SECRET_KEY; rotate it."""


def issue_secret(endpoint: WebhookEndpoint) -> str:
    """Sets a new secret on an endpoint that is not saved yet, and returns it to be shown once."""
    secret = new_secret()
    endpoint.secret = encrypt_secret(secret)
    return secret


def rotate_secret(endpoint: WebhookEndpoint, *, now: datetime) -> str:
    """Replaces the secret, saves the endpoint, and returns the new secret. The old one signs as well for OVERLAP."""
    endpoint.previous_secret, endpoint.previous_until = endpoint.secret, now + OVERLAP
    secret = issue_secret(endpoint)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    return secret


def new_secret() -> str:
    """Returns a random secret in the form in which it is shown."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def encrypt_secret(secret: str) -> str:
    """Returns the secret in the form in which it is stored."""
    return encryption.encrypt(secret, encryption.derived_key(_PURPOSE))


def decrypt_secret(stored: str) -> str:
    """Returns the secret in the form in which it was shown.

    Raises: SecretUnreadable.
    """
    try:
        return encryption.decrypt(stored, encryption.derived_key(_PURPOSE))
    except encryption.DecryptionFailed:
        raise SecretUnreadable("SECRET_KEY has changed since the secret was made; rotate the secret.") from None


def signed_headers(*, message_id: str, sent_at: datetime, body: str, with_secrets: Sequence[str]) -> dict[str, str]:
    """Returns the headers of a message; `webhook-signature` has one signature for each secret, separated by spaces."""
    signatures = [Webhook(secret).sign(message_id, sent_at.astimezone(UTC), body) for secret in with_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
