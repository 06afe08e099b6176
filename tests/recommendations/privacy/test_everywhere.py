"""An erased person is nowhere: not in a table, not in a key, not in a file."""

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys, list_cache
from recommendations.models import EndUser, UserList
from recommendations.pipeline.nearline import rescore
from recommendations.privacy.erase import erase_end_user, remove_cached_lists
from tests.recommendations.pipeline.generated import build_now, happen
from tests.recommendations.privacy import everywhere
from tests.recommendations.privacy.known import ADA, known

URL = f"/api/v1/users/{ADA}"


@pytest.fixture
def acme(cast, committed_db):
    known(cast.acme, clock.now())
    return cast.acme


class TestErased:
    def test_is_nowhere_and_not_in_the_next_build(self, acme):
        before = everywhere.places(ADA)
        assert {place.split(".")[0].split()[-1] for place in before if place.startswith("table")} >= {
            "recommendations_enduser",
            "recommendations_interaction",
            "recommendations_userlist",
            "recommendations_aianswer",
            "core_idempotencykey",
            "recommendations_import",
        }
        assert {place.split()[0] for place in before} == {"table", "key", "file"}
        cached = keys.user_list(acme.tenant.pk, "home", ADA)
        body = redis.client().get(cached)

        receipt = acme.http.delete(URL, headers={"Idempotency-Key": "erase"}).json()

        assert everywhere.places(ADA) == []
        assert receipt["rows"] == {
            "end_users": 1,
            "lists": 1,
            "related_people": 1,
            "exposures": 0,
            "impressions": 0,
            "events": 5,
            "ai_answers": 1,
            "ai_requests": 1,
            "ai_questions": 0,
            "former_ids": 0,
            "staff_log": 0,
            "stored_answers": 5,
            "import_files": 2,
        }
        assert list_cache.set_many([(cached, body)]) == 0, "whoever has read the list before puts it back"

        build = build_now(acme.tenant)

        assert everywhere.places(ADA) == []
        with scope.tenant(acme.tenant.pk):
            assert UserList.objects.filter(build=build).count() == EndUser.objects.count() == 20

    @pytest.mark.slow
    def test_does_not_come_back_with_near_line(self, acme, monkeypatch):
        """Near line has written the row when the person is erased, and tells Redis afterwards."""
        person = happen(acme.tenant, ADA, "i0001")
        put = list_cache.set_many

        def erase_first(pairs, **options):
            monkeypatch.setattr(list_cache, "set_many", put)
            remove_cached_lists(tenant_id=acme.tenant.pk, user_id=ADA)
            erase_end_user(tenant_id=acme.tenant.pk, user_id=ADA, now=clock.now())
            return put(pairs, **options)

        monkeypatch.setattr(list_cache, "set_many", erase_first)
        rescore.rescore(tenant_id=acme.tenant.pk, user_pks=[person.pk])

        assert everywhere.places(ADA) == []
