"""Erasing somebody with a short id leaves texts alone that merely hold it; an export holds all that is held."""

import json

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import override_settings

from accounts.models import User
from accounts.tenancy import scope
from core import clock
from core.idempotency.models import IdempotencyKey
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIBatchQuestion
from recommendations.ai.reranking.rerank import subject_digest
from recommendations.api.v1.serializers.user_privacy import EndUserExport
from recommendations.attribution.models import Exposure, Impression
from recommendations.imports.models import Import, ImportRowError
from recommendations.models import EndUser, FormerId
from recommendations.privacy.data_registry import DATA_REGISTRY
from recommendations.privacy.erase import erase_end_user
from tests.recommendations.privacy import everywhere
from tests.recommendations.privacy.known import ADA, known

USERS, ITEMS = "/api/v1/users/", "/api/v1/items/"


def imports(tenant, **texts):
    with scope.tenant(tenant.pk):
        return Import.objects.create(tenant=tenant, kind="users", status="failed", **texts)


def erase(tenant, user_id):
    with scope.tenant(tenant.pk):
        EndUser.objects.get_or_create(tenant=tenant, user_id=user_id)
    erase_end_user(tenant_id=tenant.pk, user_id=user_id, now=clock.now())


@pytest.mark.django_db
class TestTexts:
    @pytest.mark.parametrize(
        ("user_id", "text", "goes"),
        [
            ("1", "Row 1 of 12 has 11 cells", False),
            ("1", "users-2021-01-11.csv", False),
            ("1", "The id '1' is reserved", True),
            ("1", 'user_id "1" stands twice', True),
            ("1", "1", True),
            ("12345", "Line 12345 holds no JSON", False),
            ("ann", "cannot find annotations", False),
            ("anna", "annals of hannah", False),
            ("anna", "anna.csv", True),
            ("anna", "of anna, who", True),
            ("auth0|5f7c", "user auth0|5f7c is unknown", True),
            ("auth0|5f7c", "user auth0|5f7c2 is unknown", False),
            ("a+b.c*", "of a+b.c* here", True),
            ("a+b.c*", "of aab.cc here", False),
            ("用户一二", "见 用户一二 。", True),
            ("back\\slash", "a back\\slash b", True),
        ],
    )
    def test_go_where_they_name_the_person(self, cast, user_id, text, goes):
        tenant = cast.acme.tenant
        job = imports(tenant, filename=text, error=text)
        with scope.tenant(tenant.pk):
            row = ImportRowError.objects.create(tenant=tenant, job=job, line=1, code="c", detail=text, field="f")

        erase(tenant, user_id)

        with scope.tenant(tenant.pk):
            job.refresh_from_db()
            row.refresh_from_db()
        assert (job.filename == "", job.error != text, row.detail != text) == (goes,) * 3

    def test_of_stored_answers_go_where_they_are_about_the_person(self, cast):
        http, separated = cast.acme.http, "a\u2028b"

        def put(url, body, key):
            answer = http.put(url, body, format="json", headers={"Idempotency-Key": key})
            assert answer.status_code == 201

        put(f"{ITEMS}1", {"title": "1", "categories": ["1"], "attributes": {"size": "1", "user_id": "1"}}, "item")
        put(f"{USERS}1", {}, "person")
        put(f"{USERS}2", {"attributes": {"friend": "1"}}, "other")
        put(f"{USERS}a%E2%80%A8b", {}, "separated")
        for key, ids in (("batch", ["1", "3"]), ("others", ["4", "11"])):
            rows = {"users": [{"user_id": each} for each in ids]}
            http.post(f"{USERS}batch", rows, format="json", headers={"Idempotency-Key": key})

        erase(cast.acme.tenant, "1")
        erase(cast.acme.tenant, separated)

        with scope.tenant(cast.acme.tenant.pk):
            states = dict(IdempotencyKey.objects.values_list("key", "state"))
        gone = {key for key, state in states.items() if state == "erased"}
        assert gone == {"person", "separated", "batch"}


class TestExport:
    @override_settings(RELATED_PEOPLE=5)
    def test_holds_every_kind_as_documented_and_erasing_takes_all(self, cast, committed_db, redis_server):
        acme, now = cast.acme, clock.now()
        known(acme, now)
        tenant = acme.tenant
        with scope.tenant(tenant.pk):
            ada = EndUser.objects.get(user_id=ADA)
            about = subject_digest(response_cache.user_key(tenant_id=tenant.pk, user_pk=ada.pk))
            AIBatchQuestion.objects.create(
                tenant=tenant, build_id=1, digest="d", subject=about, request={"of": ADA}, created_at=now
            )
            FormerId.objects.create(tenant=tenant, end_user_id=ada.pk, digest="f" * 64, merged_at=now)
            seen = {"tenant": tenant, "end_user": ada, "placement": "home", "arm": "a", "first_at": now}
            Exposure.objects.create(**seen, week=now.date())
            Impression.objects.create(
                **seen, recommendation_id="r1", source="model", last_at=now, hour=now.replace(minute=0, second=0)
            )
            LogEntry.objects.create(
                user=User.objects.create(username="staff", is_staff=True),
                content_type=ContentType.objects.get_for_model(EndUser),
                object_id=str(ada.pk),
                object_repr=ADA,
                action_flag=CHANGE,
                change_message=f"Changed attributes of {ADA}.",
            )

        document = json.loads(b"".join(acme.http.get(f"{USERS}{ADA}/export").streaming_content))

        assert document.keys() == EndUserExport().fields.keys()
        kinds = {holding.name for holding in DATA_REGISTRY if holding.export}
        assert {kind for kind in kinds if document[kind]} == kinds
        for kind in kinds:
            entry = EndUserExport().fields[kind].child  # type: ignore[attr-defined]
            for row in document[kind]:
                assert row.keys() <= entry.fields.keys(), kind
                assert {name for name, field in entry.fields.items() if field.required} <= row.keys(), kind

        assert acme.http.delete(f"{USERS}{ADA}").status_code == 200
        assert everywhere.places(ADA) == []
        with scope.all_tenants("test: what staff did stays"):
            assert LogEntry.objects.count() == 1
