"""DPoP: tokens bound to a key, proofs that work once, and what happens without the store."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client import REGISTRY

from accounts.models import ReplayAttempt, Tenant
from accounts.tenancy import scope, tenant_cache
from core.external_ids import path_segment
from tests.accounts.oauth import TOKEN, ask, grant, refresh
from tests.accounts.proofs import ASKED, PATH, READ, Holder, ahead, bound, read

pytestmark = pytest.mark.usefixtures("aged_store")


def prevented():
    return REGISTRY.get_sample_value("jwt_replay_prevented_total", {"kind": "dpop"}) or 0.0


class TestBoundToken:
    def test_is_served_with_a_proof_and_with_nothing_else(self, cast, holder):
        token = bound(cast, holder)

        assert read(token, holder.proof("GET", READ, token)).status_code == 200
        assert read(token, scheme="Bearer").status_code == 401
        refused = read(token)
        assert refused.status_code == 401
        assert refused["WWW-Authenticate"].startswith('DPoP realm="docent"')
        assert read(token, holder.proof("GET", READ, token), scheme="Bearer").status_code == 401

    def test_is_worth_nothing_with_another_key(self, cast, holder):
        token = bound(cast, holder)

        assert read(token, Holder().proof("GET", READ, token)).status_code == 401

    def test_rsa_keys_are_as_good(self, cast):
        holder = Holder(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")
        token = bound(cast, holder)

        assert read(token, holder.proof("GET", READ, token)).status_code == 200

    def test_a_plain_token_is_not_taken_for_one(self, cast, holder):
        token = cast.acme.reader.token

        assert read(token, holder.proof("GET", READ, token)).status_code == 401

    def test_of_a_refresh_family_stays_with_its_key(self, cast, holder):
        granted = grant(cast.acme.admin, headers={"DPoP": holder.proof("POST", ASKED)})
        token = granted["refresh_token"]

        assert refresh(cast.acme.admin, token).status_code == 401
        assert refresh(cast.acme.admin, token, headers={"DPoP": Holder().proof("POST", ASKED)}).status_code == 401
        renewed = refresh(cast.acme.admin, token, headers={"DPoP": holder.proof("POST", ASKED)})
        assert (renewed.status_code, renewed.json()["token_type"]) == (200, "DPoP")
        assert read(renewed.json()["access_token"], scheme="Bearer").status_code == 401


def proof_with(holder: Holder, token: str, *, given: dict[str, Any]) -> str:
    return holder.proof("GET", READ, token, **given)


BAD: dict[str, Callable[[Holder, str], str]] = {
    "none at all": lambda holder, token: "",
    "nonsense": lambda holder, token: "a.b.c",
    "two of them": lambda holder, token: ",".join(holder.proof("GET", READ, token) for _ in range(2)),
    "an access token": lambda holder, token: token,
    "another method": lambda holder, token: holder.proof("POST", READ, token),
    "another address": lambda holder, token: holder.proof("GET", READ + "/a", token),
    "another host": lambda holder, token: holder.proof("GET", "http://evil.example" + PATH, token),
    "another scheme": lambda holder, token: holder.proof("GET", READ.replace("http", "https"), token),
    "no address": lambda holder, token: holder.proof("GET", READ, token, htu=None),
    "an address that is none": lambda holder, token: holder.proof("GET", "http://[", token),
    "another token's": lambda holder, token: holder.proof("GET", READ, token + "a"),
    "no token's": lambda holder, token: holder.proof("GET", READ),
    "too old": lambda holder, token: holder.proof("GET", READ, token, iat=ahead(-61)),
    "of the future": lambda holder, token: holder.proof("GET", READ, token, iat=ahead(6)),
    "without time": lambda holder, token: holder.proof("GET", READ, token, iat=None),
    "of no number's time": lambda holder, token: holder.proof("GET", READ, token, iat=True),
    "of no time": lambda holder, token: holder.proof("GET", READ, token, iat=float("nan")),
    **{
        f"of the time {moment!r:.20}": partial(proof_with, given={"iat": moment})
        for moment in (
            10**400,
            -(10**400),
            1e308,
            -1e308,
            float("inf"),
            float("-inf"),
            False,
            0,
            -1,
            "1",
            [1],
            {"a": 1},
        )
    },
    **{
        f"with {name} {moment!r:.20}": partial(proof_with, given={name: moment})
        for name in ("exp", "nbf")
        for moment in (-(10**400) if name == "exp" else 10**400, float("inf"), float("nan"), "a", [1], {"a": 1})
    },
    **{
        f"with the key {json.dumps(jwk)}": partial(proof_with, given={"header": {"jwk": jwk}})
        for jwk in (
            {"kty": 5},
            {"kty": ["EC"]},
            {"kty": "EC", "crv": ["P-256"], "x": 1, "y": 2},
            {"kty": "EC", "crv": "P-256", "x": [], "y": {}},
            {"kty": "EC", "crv": "P-256", "x": "", "y": ""},
            {"kty": "RSA", "n": 5, "e": "AQAB"},
            {"kty": "RSA", "n": "AQAB", "e": 10**400},
            {"kty": "OKP", "crv": "Ed25519", "x": "A"},
        )
    },
    "with a number for an id": lambda holder, token: holder.proof("GET", READ, token, jti=10**400),
    "with a number for an address": lambda holder, token: holder.proof("GET", READ, token, htu=10**400),
    "with a number for a hash": lambda holder, token: holder.proof("GET", READ, token, ath=10**400),
    "expired": lambda holder, token: holder.proof("GET", READ, token, exp=ahead(-60)),
    "without id": lambda holder, token: holder.proof("GET", READ, token, jti=None),
    "with an empty id": lambda holder, token: holder.proof("GET", READ, token, jti=""),
    "with an endless id": lambda holder, token: holder.proof("GET", READ, token, jti="a" * 257),
    "another type": lambda holder, token: holder.proof("GET", READ, token, header={"typ": "JWT"}),
    "without its key": lambda holder, token: holder.proof("GET", READ, token, header={"jwk": {}}),
    "with another's key": lambda holder, token: holder.proof("GET", READ, token, header={"jwk": Holder().jwk}),
    "with a private key": lambda holder, token: holder.proof(
        "GET", READ, token, header={"jwk": {**holder.jwk, "d": "AAAA"}}
    ),
    "a key of another curve": lambda holder, token: Holder(ec.generate_private_key(ec.SECP384R1()), "ES384").proof(
        "GET", READ, token
    ),
    "a symmetric key": lambda holder, token: symmetric(token),
    "a small key": lambda holder, token: Holder(
        rsa.generate_private_key(public_exponent=65537, key_size=1024), "RS256"
    ).proof("GET", READ, token),
}


def symmetric(token):
    import jwt

    claims = {"jti": "a", "htm": "GET", "htu": READ, "iat": ahead(0)}
    return jwt.encode(claims, "k" * 32, "HS256", headers={"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "a2s"}})


class TestProof:
    @pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
    def test_of_any_other_kind_is_refused(self, cast, holder):
        token = bound(cast, holder)
        accepted = [name for name, make in BAD.items() if read(token, make(holder, token)).status_code != 401]

        assert accepted == []
        assert read(token, holder.proof("GET", READ, token)).status_code == 200

    def test_nonsense_is_refused_where_a_token_is_asked_for(self, cast, holder):
        for moment in (10**400, -(10**400), 1e308, float("inf"), True, "1"):
            proof = holder.proof("POST", "http://testserver" + TOKEN, iat=moment)
            answer = ask(cast.acme.admin, grant_type="client_credentials", headers={"DPoP": proof})
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), moment

    def test_names_the_address_without_its_query_and_however_it_is_spelt(self, cast, holder):
        token = bound(cast, holder)
        spelt = holder.proof("GET", "HTTP://TESTSERVER:80/api/v1/%69tems?limit=1#a", token)

        assert read(token, spelt, path=f"{PATH}?limit=1").status_code == 200

    @pytest.mark.parametrize("name", ["a?b=c#d", "100%2F", "gid://shop/1", "用户 é|x", "a;b&c"])
    def test_names_an_address_with_whatever_id(self, cast, holder, name):
        token, path = bound(cast, holder), f"{PATH}/{path_segment(name)}"

        assert read(token, holder.proof("GET", f"http://testserver{path}", token), path=path).status_code == 404
        assert read(token, holder.proof("GET", f"{READ}/other", token), path=path).status_code == 401

    def test_works_once(self, cast, holder):
        before, token = prevented(), bound(cast, holder)
        proof = holder.proof("GET", READ, token)

        assert [read(token, proof).status_code for _ in range(3)] == [200, 401, 401]
        assert prevented() - before == 2
        with scope.tenant(cast.acme.tenant.pk):
            first, second = ReplayAttempt.objects.all()
        assert (first.kind, first.client_id) == ("dpop", cast.acme.reader.client.client_id)
        assert first.subject == second.subject

    def test_works_once_at_the_token_endpoint(self, cast, holder):
        headers = {"DPoP": holder.proof("POST", ASKED)}
        answers = [ask(cast.acme.reader, headers=headers, grant_type="client_credentials") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 400]
        assert answers[1].json()["error"] == "invalid_dpop_proof"

    def test_of_another_client_with_the_same_id_is_another(self, cast, holder):
        other = Holder()
        for each in (holder, other):
            token = bound(cast, each)
            assert read(token, each.proof("GET", READ, token, jti="one")).status_code == 200


class TestEnforced:
    def test_by_the_tenant_refuses_tokens_without_a_key(self, cast, holder):
        plain, token = cast.acme.reader.token, bound(cast, holder)
        with scope.tenant(cast.acme.tenant.pk):
            Tenant.objects.filter(pk=cast.acme.tenant.pk).update(require_dpop=True)
        tenant_cache.load()

        assert read(plain, scheme="Bearer").status_code == 401
        assert read(token, holder.proof("GET", READ, token)).status_code == 200
        refused = ask(cast.acme.reader, grant_type="client_credentials")
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
        assert read(cast.globex.reader.token, scheme="Bearer").status_code == 200
