"""The store of DPoP proofs: outages, restarts, and the time for which proofs are kept."""

import json
from datetime import timedelta

import pytest
import time_machine

from accounts.tokens import dpop
from core import clock
from core.ratelimit import replay_guard
from tests.accounts.oauth import ask
from tests.accounts.proofs import ASKED, READ, age_store, ahead, bound, read
from tests.outages import redis_away

pytestmark = pytest.mark.usefixtures("aged_store")


class TestStore:
    def test_away_refuses_only_who_sends_proofs(self, cast, holder):
        token = bound(cast, holder)
        with redis_away():
            refused = read(token, holder.proof("GET", READ, token))
            asked = ask(
                cast.acme.reader, headers={"DPoP": holder.proof("POST", ASKED)}, grant_type="client_credentials"
            )
            bearer = read(cast.acme.reader.token, scheme="Bearer")

        assert [refused.status_code, asked.status_code, bearer.status_code] == [503, 503, 200]
        for each in (refused, asked):
            assert each.json()["code"] == "replay_store_unavailable"
            assert int(each["Retry-After"]) >= 1

    def test_emptied_refuses_what_it_may_have_seen_and_says_when_to_come_back(self, cast, holder, redis_server):
        token = bound(cast, holder)
        proof = holder.proof("GET", READ, token)
        assert read(token, proof).status_code == 200
        redis_server.flushdb()
        refused = read(token, proof)
        fresh = read(token, holder.proof("GET", READ, token))

        assert [refused.status_code, fresh.status_code] == [503, 503]
        wait = int(fresh["Retry-After"])
        assert 5 <= wait <= 8
        age_store(cast.acme.tenant.pk, wait)  # as if so much later
        assert read(token, holder.proof("GET", READ, token, iat=ahead(-4))).status_code == 401  # older than the store
        assert read(token, holder.proof("GET", READ, token)).status_code == 200

    def test_of_another_server_begins_anew(self, cast, holder, redis_server):
        """After a fail-over the key is there, but written by the server before; its last notes may be lost."""
        token = bound(cast, holder)
        key = replay_guard._since(cast.acme.tenant.pk)
        redis_server.set(key, b"0" * 40 + b" " + redis_server.get(key).split()[1])

        assert read(token, holder.proof("GET", READ, token)).status_code == 503

    def test_a_note_is_kept_as_long_as_its_proof_is_good(self, cast, holder, redis_server):
        token = bound(cast, holder)
        read(token, holder.proof("GET", READ, token))
        times = [redis_server.ttl(key) for key in redis_server.scan_iter("*once:*")]

        assert times
        assert min(times) >= dpop.OLDEST_SECONDS + dpop.AHEAD_SECONDS


class TestTime:
    def test_a_proof_is_good_for_a_minute(self, cast, holder):
        token = bound(cast, holder)
        proof = holder.proof("GET", READ, token)
        with time_machine.travel(clock.now() + timedelta(seconds=59), tick=False):
            assert read(token, proof).status_code == 200
        proof = holder.proof("GET", READ, token)
        with time_machine.travel(clock.now() + timedelta(seconds=62), tick=False):
            assert read(token, proof).status_code == 401

    def test_bearers_pay_nothing_for_it(self, cast, round_trips):
        read(cast.acme.reader.token, scheme="Bearer")
        round_trips.clear()
        read(cast.acme.reader.token, scheme="Bearer")

        assert len(round_trips) == 1
        assert json.loads(read("nonsense", scheme="Bearer").content)["status"] == 401
