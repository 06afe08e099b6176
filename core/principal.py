"""The caller, resolved once per request by authentication and read by everything after it."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller: the OAuth client, and what the token allows until it `expires` (Unix seconds).

    A browser token is also bound to a user and an origin, a sender-constrained one to a key.
    """

    tenant_id: int
    tenant: str
    client_id: str
    scopes: frozenset[str]
    token_id: str
    expires: float = 0.0
    origin: str = ""  # the only origin whose pages may use the token; empty: any
    user_id: str = ""  # the only user that the token is valid for; empty: all
    issuer_token_id: str = ""  # the token that a browser token was issued with
    key_thumbprint: str = ""  # the key that must prove each request; empty: none

    @property
    def is_authenticated(self) -> bool:
        """True: an anonymous caller has no principal. Django's and DRF's name for it."""
        return True

    @property
    def key_space(self) -> str:
        """Namespace of the keys that the caller chooses (at most 64 characters): its client, or its user's browser.

        A visitor can neither use nor reveal a key of the tenant's systems, or of another visitor.
        """
        if not self.user_id:
            return self.client_id
        return "browser:" + hashlib.blake2b(f"{self.client_id}\x1f{self.user_id}".encode(), digest_size=24).hexdigest()

    def may(self, scope: str) -> bool:
        """Returns true if the token has the scope."""
        return scope in self.scopes
