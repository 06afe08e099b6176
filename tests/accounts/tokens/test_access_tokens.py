"""Access tokens: what is in one, and what is refused."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from cachetools import FIFOCache
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings

from accounts.tenancy import scope, tenant_cache
from accounts.tokens import access_tokens
from core import clock


@pytest.fixture(scope="module")
def stranger_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def _ring(db):
    """Signed with a key from the database."""


def ours():
    return tenant_cache.current().ring.current(moment=clock.now().timestamp())


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def claims(**changes):
    """The claims of a valid token, changed; None takes one away."""
    now = int(clock.now().timestamp())
    valid = {
        "token_type": "access",
        "exp": now + 600,
        "iat": now,
        "nbf": now,
        "jti": "1",
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "sub": "dc_1",
        "client_id": "dc_1",
        "scope": "catalog:read",
        "tenant": "acme",
        "tenant_id": 1,
    }
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def signed(payload, *, key=None, algorithm="RS256", **header):
    """A token with our key and headers, unless told otherwise."""
    headers = {"kid": ours().kid, "typ": "at+jwt", **header}
    return jwt.encode(payload, key or ours().private(), algorithm=algorithm, headers=headers)


def encoded(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_pem():
    return ours().public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hs256_with_the_public_key():
    header = encoded({"alg": "HS256", "typ": "at+jwt", "kid": ours().kid})
    body = f"{header}.{encoded(claims())}"
    mac = hmac.new(public_pem(), body.encode(), hashlib.sha256).digest()
    return f"{body}.{encoded(mac)}"


def tampered():
    header, _, signature = signed(claims()).split(".")
    return f"{header}.{encoded(claims(tenant_id=2, scope='catalog:write'))}.{signature}"


def unsigned(algorithm):
    return f"{encoded({'alg': algorithm, 'typ': 'at+jwt', 'kid': ours().kid})}.{encoded(claims())}."


def without(name, _):
    return signed(claims(**{name: None}))


def later(seconds):
    return int(clock.now().timestamp()) + seconds


FORGERIES: dict[str, Callable[[Any], str]] = {
    "no algorithm": lambda _: unsigned("none"),
    "no algorithm, spelt otherwise": lambda _: unsigned("NoNe"),
    "HS256 with the public key": lambda _: hs256_with_the_public_key(),
    "another algorithm": lambda _: signed(claims(), algorithm="RS512"),
    "another kind of key": lambda _: signed(claims(), key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "another key under our id": lambda key: signed(claims(), key=pem(key)),
    "another key under its id": lambda key: signed(claims(), key=pem(key), kid="other"),
    "no key id": lambda _: signed(claims(), kid=""),
    "a key brought along": lambda key: signed(
        claims(), key=pem(key), jwk=json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    ),
    "an id token": lambda _: signed(claims(), typ="JWT"),
    "another service's": lambda _: signed(claims(iss="https://evil.example")),
    "for another service": lambda _: signed(claims(aud="other-api")),
    "expired": lambda _: signed(claims(exp=later(-1))),
    "not yet valid": lambda _: signed(claims(nbf=later(60))),
    "issued in the future": lambda _: signed(claims(iat=later(60))),
    "tampered with": lambda _: tampered(),
    "a refresh token": lambda _: signed(claims(token_type="refresh")),
    "an extension we do not know": lambda _: signed(claims(), crit=["bound"], bound=True),
    "cut": lambda _: signed(claims())[:-10],
    "no token": lambda _: "nonsense",
    "of three dots": lambda _: "...",
    "no text": lambda _: "\xff\xfe.\x00.\x01",
    **{f"without {name}": partial(without, name) for name in access_tokens.REQUIRED},
}


class TestVerify:
    def test_accepts_what_is_right(self):
        """Without this, the forgeries below might be refused for another reason."""
        principal = access_tokens.verify(signed(claims()), now=clock.now())

        assert (principal.tenant_id, principal.tenant, principal.client_id) == (1, "acme", "dc_1")
        assert principal.scopes == {"catalog:read"}

    @pytest.mark.parametrize("kind", FORGERIES)
    def test_refuses(self, kind, stranger_key):
        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(FORGERIES[kind](stranger_key), now=clock.now())

        assert access_tokens._remembered == {}

    def test_a_refusal_tells_no_detail_of_the_token(self, stranger_key):
        with pytest.raises(access_tokens.TokenRefused) as refused:
            access_tokens.verify(signed(claims(), key=pem(stranger_key)), now=clock.now())

        assert "ignature" not in refused.value.detail

    def test_a_host_whose_clock_is_a_little_behind_accepts_a_fresh_token(self, cast):
        token = access_tokens.issue(client=cast.acme.admin.client, scopes=["a"], now=clock.now() + timedelta(seconds=3))

        assert access_tokens.verify(token, now=clock.now())

    def test_a_remembered_token_expires_to_the_second(self):
        now = clock.now()
        token = signed(claims(exp=int(now.timestamp()) + 60))
        first = access_tokens.verify(token, now=now)

        assert access_tokens.verify(token, now=now) is first
        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(token, now=now + timedelta(seconds=60))
        assert token not in access_tokens._remembered

    def test_the_moment_that_is_passed_in_counts(self):
        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(signed(claims()), now=clock.now() + timedelta(hours=1))

    def test_another_token_with_a_remembered_beginning_is_verified_anew(self):
        token = signed(claims())
        access_tokens.verify(token, now=clock.now())

        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(token + "A", now=clock.now())

    def test_memory_is_bounded_and_the_oldest_goes_first(self, monkeypatch):
        monkeypatch.setattr(access_tokens, "_remembered", FIFOCache(3))
        issued = [signed(claims(jti=str(number))) for number in range(5)]
        for token in issued:
            access_tokens.verify(token, now=clock.now())

        assert list(access_tokens._remembered) == issued[2:]


class TestIssue:
    def test_is_an_access_token_as_rfc_9068_has_it(self, cast):
        now = clock.now()
        token = access_tokens.issue(client=cast.acme.admin.client, scopes=["b", "a"], now=now)
        header, body = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})

        assert header == {"alg": "RS256", "typ": "at+jwt", "kid": ours().kid}
        assert body["sub"] == body["client_id"] == cast.acme.admin.client.client_id
        assert (body["tenant"], body["tenant_id"]) == ("acme", cast.acme.tenant.pk)
        assert body["scope"] == "a b"
        assert body["exp"] - body["iat"] == settings.ACCESS_TOKEN_SECONDS == 900
        assert body["jti"]

    def test_no_two_are_alike(self, cast):
        now = clock.now()
        first, second = (access_tokens.issue(client=cast.acme.admin.client, scopes=[], now=now) for _ in range(2))

        assert first != second

    def test_lives_no_longer_than_its_client(self, cast):
        now, client = clock.now(), cast.acme.admin.client
        client.expires_at = now + timedelta(seconds=100)
        with scope.tenant(cast.acme.tenant.pk):
            client.save(update_fields=["expires_at"])
        body = jwt.decode(access_tokens.issue(client=client, scopes=[], now=now), options={"verify_signature": False})

        assert 98 <= body["exp"] - int(now.timestamp()) <= 100
        assert access_tokens.lifetime_seconds(client=client, now=now) == 100
