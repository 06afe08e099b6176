"""System checks of accounts. Ids are stable; tests and operators go by them."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from accounts import tokens

BAD_SIGNING_KEY = "accounts.E001"


@register()
def tokens_can_be_signed(**_: Any) -> list[CheckMessage]:
    """Without a signing key no token is issued and none is accepted."""
    try:
        tokens.ensure_configured()
    except ImproperlyConfigured as error:
        hint = "Make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 (docs/operations/config.md)."
        return [Error(str(error), hint=hint, id=BAD_SIGNING_KEY)]
    return []
