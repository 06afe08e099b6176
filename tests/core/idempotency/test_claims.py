"""Claims on real, committed rows: who may run, and whose effect holds."""

import functools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError, ProgrammingError

from accounts.tenancy import scope
from core.idempotency import claims
from core.idempotency.claims import Claimed, ClaimLost, Mismatch, Replay, Running, StoredAnswer
from core.idempotency.models import MAX_BODY, IdempotencyKey
from tests.core.idempotency.conftest import ACME, GLOBEX

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=10)
ANSWER = StoredAnswer(201, {"Content-Type": "application/json", "ETag": '"1"'}, '{"é":1}'.encode())

pytestmark = pytest.mark.usefixtures("committed_db", "ten_seconds")


def store_and_fail(held):
    with scope.tenant(ACME):
        claims.complete(held, answer=ANSWER)
        raise ZeroDivisionError


def claim(*, tenant_id=ACME, client_id="shop", key="k", request=b"r" * 32, now=NOW):
    return claims.claim(
        scope=functools.partial(scope.tenant, tenant_id),
        tenant_id=tenant_id,
        client_id=client_id,
        key=key,
        fingerprint=request,
        now=now,
    )


def taken(**how):
    outcome = claim(**how)
    assert isinstance(outcome, Claimed)
    return outcome.claim


def complete(held, answer=ANSWER, tenant_id=ACME):
    with scope.tenant(tenant_id):
        claims.complete(held, answer=answer)


def release(held):
    claims.release(held, scope=functools.partial(scope.tenant, ACME))


class TestClaim:
    def test_replays_what_was_stored_to_the_byte(self):
        complete(taken())

        assert claim() == Replay(ANSWER)

    def test_a_second_run_waits_for_the_first(self):
        taken()

        assert isinstance(claim(), Running)

    def test_another_request_with_the_key_is_a_mismatch_while_running_and_when_done(self):
        held = taken()
        assert claim(request=b"o" * 32) == Mismatch()

        complete(held)
        assert claim(request=b"o" * 32) == Mismatch()

    @pytest.mark.parametrize("other", [{"tenant_id": GLOBEX}, {"client_id": "till"}, {"key": "l"}])
    def test_tenants_clients_and_keys_are_independent(self, other):
        complete(taken())

        assert isinstance(claim(**other), Claimed)

    @pytest.mark.parametrize(
        ("after", "wait"),
        [(0, 1), (0.2, 1), (2, 2), (4.5, 5), (7, 3), (9.7, 1)],
    )
    def test_says_to_wait_as_long_again_but_never_past_the_lease(self, after, wait):
        taken()

        assert claim(now=NOW + timedelta(seconds=after)) == Running(wait)

    def test_a_run_that_died_is_taken_over_when_its_lease_ends(self):
        dead = taken()

        assert isinstance(claim(now=NOW + LEASE - timedelta(microseconds=1)), Running)
        assert taken(now=NOW + LEASE).token != dead.token

    def test_only_the_same_request_takes_over(self):
        taken()

        assert claim(request=b"o" * 32, now=NOW + LEASE) == Mismatch()

    def test_a_done_key_is_not_taken_over_when_its_lease_ends(self):
        complete(taken())

        assert claim(now=NOW + LEASE) == Replay(ANSWER)

    def test_an_expired_key_is_new_for_any_request(self):
        complete(taken())

        assert isinstance(claim(now=NOW + claims.KEY_LIFETIME - timedelta(microseconds=1)), Replay)
        again = taken(request=b"o" * 32, now=NOW + claims.KEY_LIFETIME)
        assert isinstance(claim(request=b"o" * 32, now=NOW + claims.KEY_LIFETIME), Running)
        complete(again, StoredAnswer(200, {}, b"{}"))
        assert claim(request=b"o" * 32, now=NOW + claims.KEY_LIFETIME) == Replay(StoredAnswer(200, {}, b"{}"))


class TestComplete:
    def test_a_run_that_was_overtaken_rolls_its_effect_back(self):
        slow = taken()
        quick = taken(now=NOW + LEASE)

        with pytest.raises(ClaimLost):
            complete(slow)
        complete(quick)
        with pytest.raises(ClaimLost):
            complete(slow)

    def test_is_rolled_back_with_the_effect(self):
        held = taken()

        with pytest.raises(ZeroDivisionError):
            store_and_fail(held)
        assert isinstance(claim(), Running)

    def test_refuses_to_run_outside_a_transaction(self):
        held = taken()

        with pytest.raises(RuntimeError, match="transaction of the effect"):
            claims.complete(held, answer=ANSWER)

    def test_fails_closed_in_another_tenants_scope(self):
        held = taken()

        with pytest.raises(ClaimLost):
            complete(held, tenant_id=GLOBEX)

    def test_the_table_takes_no_body_above_64_kib(self):
        held = taken()

        with pytest.raises(IntegrityError, match="64_kib"):
            complete(held, StoredAnswer(200, {}, b"x" * (MAX_BODY + 1)))
        complete(held, StoredAnswer(200, {}, b"x" * MAX_BODY))


class TestRelease:
    def test_makes_the_key_free_for_any_request(self):
        release(taken())

        assert isinstance(claim(request=b"o" * 32), Claimed)

    def test_leaves_a_stored_answer(self):
        held = taken()
        complete(held)

        release(held)

        assert claim() == Replay(ANSWER)

    def test_leaves_the_claim_of_who_took_over(self):
        slow = taken()
        quick = taken(now=NOW + LEASE)

        release(slow)

        complete(quick)
        assert claim() == Replay(ANSWER)


class TestRowLevelSecurity:
    def test_is_enabled_and_forced(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'core_idempotencykey'"
            )
            assert cursor.fetchone() == (True, True)

    def test_without_a_scope_no_row_is_seen_or_written(self):
        complete(taken())

        assert IdempotencyKey.objects.count() == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            claims.claim(
                scope=transaction.atomic, tenant_id=ACME, client_id="c", key="k", fingerprint=b"r" * 32, now=NOW
            )

    def test_a_scope_sees_its_tenant_only(self):
        taken()
        taken(tenant_id=GLOBEX)

        with scope.tenant(ACME):
            assert list(IdempotencyKey.objects.values_list("tenant_id", flat=True)) == [ACME]
        with scope.all_tenants("test"):
            assert IdempotencyKey.objects.count() == 2
