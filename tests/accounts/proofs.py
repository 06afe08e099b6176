"""A client that holds a key and proves it (RFC 9449)."""

import base64
import hashlib
import json
import secrets
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from jwt.algorithms import ECAlgorithm

from core import clock, redis
from core.ratelimit import replay_guard
from tests.accounts.oauth import TOKEN, ask

ASKED = f"http://testserver{TOKEN}"
PATH = "/api/v1/items"
READ = f"http://testserver{PATH}"


class Holder:
    """A key, and the proofs that it makes."""

    def __init__(self, key: Any = None, algorithm: str = "ES256") -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.algorithm = algorithm

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key."""
        if self.algorithm.startswith("ES"):
            return dict(json.loads(ECAlgorithm.to_jwk(self.key.public_key())))
        key: Any = self.key.public_key()
        return dict(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key)))

    def proof(self, method: str, url: str, token: str = "", *, header: Any = None, **changes: Any) -> str:
        """A proof, changed; None takes a claim away."""
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": clock.now().timestamp(),
            "ath": base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
            if token
            else None,
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        headers = {"typ": "dpop+jwt", "jwk": self.jwk, **(header or {})}
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers=headers)


def age_store(tenant_id, seconds=3600):
    key = replay_guard._since(tenant_id)
    server, since = redis.client().get(key).decode().split()
    redis.client().set(key, f"{server} {float(since) - seconds:.6f}")


def bound(cast, holder, **more):
    """An access token bound to the holder's key."""
    body = {"grant_type": "client_credentials", **more}
    response = ask(cast.acme.reader, headers={"DPoP": holder.proof("POST", ASKED)}, **body)
    assert (response.status_code, response.json()["token_type"]) == (200, "DPoP"), response.json()
    return response.json()["access_token"]


def read(token, proof=None, scheme="DPoP", path=PATH):
    headers = {"Authorization": f"{scheme} {token}", **({} if proof is None else {"DPoP": proof})}
    return Client(raise_request_exception=False).get(path, headers=headers)


def ahead(seconds):
    return clock.now().timestamp() + seconds
