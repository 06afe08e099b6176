"""Keys go after 24 hours; answers go with the person they name, keys stay used."""

import functools
from datetime import timedelta

import pytest
from django.db import transaction

from accounts.tenancy import scope
from core.idempotency import cleanup
from core.idempotency.claims import KEY_LIFETIME, Claimed, Erased, Mismatch, Replay, StoredAnswer
from core.idempotency.models import IdempotencyKey
from tests.core.idempotency.conftest import ACME, GLOBEX
from tests.core.idempotency.test_claims import NOW, claim, complete, taken

pytestmark = pytest.mark.usefixtures("committed_db", "ten_seconds")
EVERYBODY = functools.partial(scope.all_tenants, "test")


def purge(now, **how):
    return cleanup.purge(scope=EVERYBODY, now=now, **how)


def store(key, body, tenant_id=ACME):
    complete(taken(key=key, tenant_id=tenant_id), StoredAnswer(200, {}, body.encode()), tenant_id=tenant_id)


class TestPurge:
    def test_deletes_what_has_expired_and_nothing_else(self):
        store("old", "{}")
        store("old", "{}", tenant_id=GLOBEX)
        taken(key="new", now=NOW + timedelta(hours=1))

        assert purge(NOW + KEY_LIFETIME - timedelta(seconds=1)) == 0
        assert purge(NOW + KEY_LIFETIME) == 2
        with EVERYBODY():
            assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]

    @pytest.mark.parametrize("batch_rows", [1, 2, 3, 7, 100])
    def test_comes_to_an_end_with_batches_of_any_size(self, batch_rows):
        for number in range(7):
            taken(key=str(number))

        assert purge(NOW + KEY_LIFETIME, batch_rows=batch_rows) == 7

    def test_sees_nothing_without_a_scope(self):
        taken()

        assert cleanup.purge(scope=transaction.atomic, now=NOW + KEY_LIFETIME) == 0


class TestEraseAnswers:
    def test_empties_answers_that_name_the_person(self):
        store("theirs", '{"results":[{"id":"42"}]}')
        store("longer", '{"user_id":"421"}')
        store("stranger's", '{"user_id":"42"}', tenant_id=GLOBEX)

        with scope.tenant(ACME):
            assert cleanup.erase_answers(tenant_id=ACME, external_id="42") == 1

        assert claim(key="theirs") == Erased()
        assert isinstance(claim(key="longer"), Replay)
        assert isinstance(claim(key="stranger's", tenant_id=GLOBEX), Replay)

    def test_the_key_stays_used_until_it_expires(self):
        store("theirs", '{"user_id":"42"}')
        with scope.tenant(ACME):
            cleanup.erase_answers(tenant_id=ACME, external_id="42")

        assert claim(key="theirs", now=NOW + KEY_LIFETIME / 2) == Erased()
        assert claim(key="theirs", request=b"o" * 32) == Mismatch()
        assert isinstance(claim(key="theirs", now=NOW + KEY_LIFETIME), Claimed)
