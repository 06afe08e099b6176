"""Secrets and signatures, as Standard Webhooks has them.

    signature = "v1," + base64(HMAC-SHA256(secret, "{webhook-id}.{webhook-timestamp}.{body}"))

A secret is shown as `whsec_` and the base64 of its 32 bytes. In the database it is sealed with a key that comes from
SECRET_KEY (Fernet over HKDF-SHA256): a copy of the database alone signs nothing. With another SECRET_KEY it cannot be
read any more and has to be made anew.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PREFIX = "whsec_"


class SecretUnreadable(Exception):
    """The secret was sealed with another SECRET_KEY; make a new one."""


def new_secret() -> str:
    """As it is shown, once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def seal(secret: str) -> str:
    """As it is stored."""
    return _fernet(settings.SECRET_KEY).encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """As it was shown.

    Raises: SecretUnreadable.
    """
    try:
        return _fernet(settings.SECRET_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable("SECRET_KEY has changed since the secret was made; rotate the secret.") from None


def sign(*, message_id: str, timestamp: int, body: str, with_secrets: Sequence[str]) -> str:
    """The value of `webhook-signature`: one signature for each secret, with spaces between."""
    content = f"{message_id}.{timestamp}.{body}".encode()
    return " ".join(f"v1,{_signature(secret, content)}" for secret in with_secrets)


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


@lru_cache(maxsize=2)
def _fernet(secret_key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"docent webhook secrets").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
