"""Who is calling, resolved once per request by authentication and read by everything after it."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller: the OAuth client, and what the token allows until it `expires` (Unix seconds).

    A browser's token is also bound to a person and an origin, a sender-constrained one to a key.
    """

    tenant_id: int
    tenant: str
    client_id: str
    scopes: frozenset[str]
    token_id: str
    expires: float = 0.0
    origin: str = ""  # whose pages alone may use the token; empty: it is bound to none
    user_id: str = ""  # for whom alone the token is good; empty: everybody
    issuer_token_id: str = ""  # of the token that a browser's was issued with; empty: of none
    key_thumbprint: str = ""  # of the key that must prove each request; empty: none

    @property
    def is_authenticated(self) -> bool:
        """True: an anonymous caller has no principal. Django's and DRF's name for it."""
        return True

    @property
    def key_space(self) -> str:
        """Whose the keys are that the caller chooses (at most 64 characters): its client's, or its person's browser's.

        What a visitor sends can neither take nor show a key of the tenant's systems, nor of another visitor.
        """
        if not self.user_id:
            return self.client_id
        return "browser:" + hashlib.blake2b(f"{self.client_id}\x1f{self.user_id}".encode(), digest_size=24).hexdigest()

    def may(self, scope: str) -> bool:
        """Whether the token carries the scope."""
        return scope in self.scopes
