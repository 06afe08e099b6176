"""The log applied again: who came back with something old goes, who came back by themselves stays."""

import shutil
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys
from recommendations.erasures import backup
from recommendations.models import EndUser, Erasure, Interaction
from recommendations.privacy.reapply_erasures import apply_erasures
from tests.database import storage_folder
from tests.recommendations.privacy.known import ADA, introduce
from workers.tasks.builds import train
from workers.tasks.privacy import copy_log

URL = f"/api/v1/users/{ADA}"


@pytest.fixture
def acme(cast):
    introduce(cast.acme)
    yield cast.acme
    shutil.rmtree(storage_folder(), ignore_errors=True)


def came_back(tenant, *, created_at):
    """As a restore brings a person back: row and events as they were."""
    with scope.tenant(tenant.pk):
        EndUser.objects.create(tenant=tenant, user_id=ADA, created_at=created_at)


def apply(member, **options):
    return apply_erasures(tenant_id=member.tenant.pk, now=clock.now(), **options)


class TestApply:
    def test_erases_who_is_older_than_their_erasure(self, acme):
        acme.http.delete(URL)
        came_back(acme.tenant, created_at=clock.now() - timedelta(days=1))

        applied = apply(acme)

        assert (applied.entries, applied.users, applied.foreign) == (1, 1, 0)
        assert acme.http.get(URL).status_code == 404
        with scope.tenant(acme.tenant.pk):
            assert Erasure.objects.get().repeated_at is not None
        assert apply(acme).users == 0

    def test_leaves_who_came_back_by_themselves(self, acme):
        acme.http.delete(URL)
        acme.http.put(URL, {}, format="json")

        assert apply(acme).users == 0
        assert acme.http.get(URL).status_code == 200

    def test_leaves_others_of_the_same_name_in_other_tenants(self, cast, acme):
        cast.globex.http.put(URL, {}, format="json")
        acme.http.delete(URL)

        assert apply(cast.globex).entries == 0
        assert cast.globex.http.get(URL).status_code == 200

    def test_takes_the_log_back_from_the_storage(self, acme):
        """A dump brings its own log back with it, which knows nothing of what came after."""
        acme.http.delete(URL)
        copy_log.run()
        with scope.tenant(acme.tenant.pk):
            Erasure.objects.all().delete()
        came_back(acme.tenant, created_at=clock.now() - timedelta(days=1))

        applied = apply(acme)

        assert (applied.restored, applied.users) == (1, 1)
        assert apply(acme).restored == 0

    def test_copies_to_the_storage_what_it_did_not_take_at_once(self, acme):
        acme.http.delete(URL)
        assert list(backup.list_copies(acme.tenant.pk)) == []

        copy_log.run()
        copy_log.run()

        (copy,) = backup.list_copies(acme.tenant.pk)
        with scope.tenant(acme.tenant.pk):
            entry = Erasure.objects.get()
        assert (copy.digest, copy.key, copy.erased_at) == (entry.digest, entry.key, entry.erased_at)
        assert entry.copied_at is not None

    def test_removes_lists_from_redis(self, acme):
        acme.http.delete(URL)
        old = keys.user_list(acme.tenant.pk, "home", ADA)
        other = keys.user_list(acme.tenant.pk, "home", "somebody:else")
        for key in (old, other):
            redis.client().set(key, b"x")

        assert apply(acme, cached=True).lists == 1
        assert not redis.client().exists(old)
        assert redis.client().exists(other)

    def test_a_build_does_not_learn_from_who_was_erased(self, acme):
        acme.http.delete(URL)
        came_back(acme.tenant, created_at=clock.now() - timedelta(days=1))

        train.run(tenant_id=acme.tenant.pk, build_id=0)

        assert acme.http.get(URL).status_code == 404


class TestCommand:
    def test_tells_what_it_did(self, acme):
        acme.http.delete(URL)
        came_back(acme.tenant, created_at=clock.now() - timedelta(days=1))
        out = StringIO()

        call_command("apply_erasures", stdout=out)

        assert "acme: 1 in the log (0 from the storage), 1 users erased again, 0 lists removed" in out.getvalue()
        assert "globex: 0 in the log" in out.getvalue()
        with scope.tenant(acme.tenant.pk):
            assert Interaction.objects.count() == 0

    def test_fails_when_the_log_was_made_with_another_key(self, acme, settings):
        acme.http.delete(URL)
        settings.ERASURE_KEY = "another key"

        with pytest.raises(CommandError, match="another ERASURE_KEY"):
            call_command("apply_erasures", "--tenant", "acme", stdout=StringIO())

    def test_fails_when_redis_is_away(self, acme):
        acme.http.delete(URL)
        for _ in range(redis.breaker.threshold):
            redis.breaker.record_failure()

        with pytest.raises(CommandError, match="Redis"):
            call_command("apply_erasures", stdout=StringIO())
        redis.breaker.record_success()

    def test_refuses_a_tenant_that_there_is_not(self, db):
        with pytest.raises(CommandError, match="no tenant"):
            call_command("apply_erasures", "--tenant", "nobody")
