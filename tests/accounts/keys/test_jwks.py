"""Signing keys as values: ids, stages, the published set."""

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from accounts import checks
from accounts.keys import jwks
from accounts.keys.jwks import Ring, RingKey
from accounts.tenancy import tenant_cache
from accounts.tokens import access_tokens
from core import clock

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
NOW = 1_800_000_000.0


def pem(key, encryption=None):
    return key.private_bytes(PEM, PKCS8, encryption or serialization.NoEncryption()).decode()


class TestKeyId:
    def test_is_the_thumbprint_of_rfc_7638(self):
        """The example of RFC 7638, section 3.1: its key and its thumbprint."""
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
            "kEgU8awapJzKnqDKgw"
        )

        found = jwks.thumbprint({"kty": "RSA", "n": modulus, "e": "AQAB"})

        assert found == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.fixture(scope="module")
def ring():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    keys = [
        RingKey("retired", "ES256", key, NOW - 900, NOW - 1, "sealed"),
        RingKey("retiring", "ES256", key, NOW - 600, NOW + 100, "sealed"),
        RingKey("current", "ES256", key, NOW - 300, NOW + 9000, "sealed"),
        RingKey("next", "ES256", key, NOW + 300, None, "sealed"),
    ]
    return Ring({key.kid: key for key in keys})


class TestRing:
    def test_stages_follow_from_the_times(self, ring):
        assert {kid: ring.stage(key, moment=NOW) for kid, key in ring.keys.items()} == {kid: kid for kid in ring.keys}
        assert ring.current(moment=NOW).kid == "current"

    def test_the_next_key_takes_over_at_its_second(self, ring):
        assert ring.current(moment=NOW + 299.9).kid == "current"
        assert ring.current(moment=NOW + 300).kid == "next"
        assert ring.stage(ring.keys["current"], moment=NOW + 300) == "retiring"

    def test_a_retired_key_is_neither_found_nor_published(self, ring):
        assert ring.find("retired", moment=NOW) is None
        assert ring.find("retiring", moment=NOW + 99.9) is not None
        assert ring.find("retiring", moment=NOW + 100) is None
        assert [key["kid"] for key in ring.published(moment=NOW)] == ["next", "current", "retiring"]
        assert [key["kid"] for key in ring.published(moment=NOW + 100)] == ["next", "current"]

    def test_an_unknown_id_reads_nothing(self, cast, django_assert_num_queries, round_trips):
        tenant_cache.current()
        with django_assert_num_queries(0):
            for number in range(1000):
                token = jwt.encode({"a": 1}, "k" * 32, algorithm="HS256", headers={"kid": f"{number}", "typ": "at+jwt"})
                with pytest.raises(access_tokens.TokenRefused):
                    access_tokens.verify(token, now=clock.now())

        assert round_trips == []


class TestEndpoint:
    def test_verifies_our_tokens_and_tells_nothing_private(self, cast):
        response = Client().get("/.well-known/jwks.json")
        (published,) = response.json()["keys"]
        token = access_tokens.issue(client=cast.acme.admin.client, scopes=["a"], now=clock.now())

        claims = jwt.decode(token, jwt.PyJWK(published).key, algorithms=["RS256"], audience="docent-api")

        assert claims["scope"] == "a"
        assert set(published) == {"kty", "use", "alg", "kid", "n", "e"}
        assert response["Cache-Control"] == "public, max-age=300"
        assert response["Content-Type"] == "application/json"


class TestGivenKey:
    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("nonsense", "not a private key"),
            (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "at least 2048 bits"),
            (pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
            (
                pem(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"pass")),
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
        assert value[:40] not in found.msg

    def test_none_is_needed(self, settings):
        settings.JWT_PRIVATE_KEY = ""

        assert checks.tokens_can_be_signed() == []


class TestSealing:
    @pytest.mark.parametrize(("keys", "says"), [([], "is empty"), (["short"], "32 bytes")])
    def test_without_a_key_that_seals_is_a_check(self, settings, keys, says):
        settings.KEY_ENCRYPTION_KEYS = keys

        (found,) = checks.tokens_can_be_signed()

        assert (found.id, says in found.msg) == (checks.BAD_SIGNING_KEY, True)
        assert "KEY_ENCRYPTION_KEYS" in found.msg
