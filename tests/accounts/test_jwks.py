"""The published keys."""

import base64
import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from accounts import checks, jwks, tokens
from core import clock

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


class TestKeyId:
    def test_is_the_thumbprint_of_rfc_7638(self):
        """The example of RFC 7638, section 3.1: its key and its thumbprint."""
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
            "kEgU8awapJzKnqDKgw"
        )

        assert jwks.thumbprint(modulus=modulus, exponent="AQAB") == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    def test_of_ours_follows_from_what_is_published(self):
        (key,) = jwks.published()
        canonical = json.dumps({"e": key["e"], "kty": "RSA", "n": key["n"]}, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).digest()

        assert key["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class TestEndpoint:
    def test_verifies_our_tokens_and_tells_nothing_private(self, cast):
        response = Client().get("/.well-known/jwks.json")
        (published,) = response.json()["keys"]
        token = tokens.issue(client=cast.acme.admin.client, scopes=["a"], now=clock.now())

        claims = jwt.decode(token, jwt.PyJWK(published).key, algorithms=["RS256"], audience="docent-api")

        assert claims["scope"] == "a"
        assert set(published) == {"kty", "use", "alg", "kid", "n", "e"}
        assert response["Cache-Control"] == "public, max-age=300"
        assert response["Content-Type"] == "application/json"


class TestSigningKey:
    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("", "is empty"),
            ("nonsense", "not a private key"),
            (
                rsa.generate_private_key(public_exponent=65537, key_size=1024)
                .private_bytes(PEM, PKCS8, serialization.NoEncryption())
                .decode(),
                "at least 2048 bits",
            ),
            (
                ec.generate_private_key(ec.SECP256R1())
                .private_bytes(PEM, PKCS8, serialization.NoEncryption())
                .decode(),
                "RSA key",
            ),
            (
                rsa.generate_private_key(public_exponent=65537, key_size=2048)
                .private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"pass"))
                .decode(),
                "without a passphrase",
            ),
        ],
    )
    def test_one_that_cannot_sign_is_a_check_that_names_the_variable(self, settings, value, says):
        settings.JWT_PRIVATE_KEY = value

        (found,) = checks.tokens_can_be_signed()

        assert found.id == checks.BAD_SIGNING_KEY
        assert "JWT_PRIVATE_KEY" in found.msg
        assert says in found.msg
        assert value[:40] not in found.msg or not value

    def test_one_that_can_passes(self):
        assert checks.tokens_can_be_signed() == []

    def test_is_not_in_its_representation(self):
        assert "PRIVATE" not in repr(jwks.current())
