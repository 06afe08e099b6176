"""Imports over HTTP: /api/v1/imports and what stands under it."""

import pytest

from accounts.tenancy import scope
from recommendations.imports import storage_quota, uploads
from recommendations.imports.models import Import
from recommendations.models import Item
from tests.recommendations.api.v1.importing import ITEMS, URL, run, send, stored
from tests.recommendations.pipeline.queue import sent

SHAPE = {
    "import_id",
    "kind",
    "format",
    "filename",
    "dry_run",
    "status",
    "progress",
    "size_bytes",
    "mapping",
    "rows",
    "summary",
    "rejections",
    "error",
    "created_at",
    "started_at",
    "finished_at",
}


class TestStart:
    def test_accepts_the_file_and_says_how_far_it_is(self, cast, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            accepted = send(cast.acme.http, query="kind=items&filename=items.csv")
        body = accepted.json()

        assert accepted.status_code == 202
        assert accepted["Location"] == f"{URL}/{body['import_id']}"
        assert set(body) == SHAPE
        assert (body["status"], body["progress"], body["filename"]) == ("waiting", 0.0, "items.csv")
        assert sent("imports.run") == [{"tenant_id": cast.acme.tenant.pk, "import_id": int(body["import_id"])}]

        done = run(cast.acme, accepted).json()
        assert (done["status"], done["progress"], done["error"]) == ("done", 1.0, None)
        assert done["rows"] == {"created": 2, "updated": 0, "unchanged": 0, "duplicate": 0, "rejected": 1}
        with scope.tenant(cast.acme.tenant.pk):
            assert set(Item.objects.values_list("item_id", flat=True)) == {"a", "d"}

    def test_keeps_what_was_said_of_the_columns_until_a_worker_takes_it(self, cast):
        said = [
            "map=sku%3Ditem_id",
            "map=who%3Duser_id",
            "map=price%3Dcontext.price",
            "default=type%3Dpurchase",
            "timezone=Europe/Berlin",
            "extra=ignore",
            "delimiter=semicolon",
        ]
        text = "sku;who;price;occurred_at;other\na;u;3.5;2026-03-01 08:30:00;x\n"

        answer = send(cast.acme.http, text, query="&".join(["kind=events", *said]))

        assert answer.json()["mapping"] == {
            "map": ["sku=item_id", "who=user_id", "price=context.price"],
            "default": ["type=purchase"],
            "timezone": "Europe/Berlin",
            "time_unit": None,
            "extra": "ignore",
            "preset": None,
        }
        assert run(cast.acme, answer).json()["rows"]["created"] == 1
        (event,) = cast.acme.http.get("/api/v1/events").json()["data"]
        assert (event["occurred_at"], event["type"], event["context"]) == (
            "2026-03-01T07:30:00Z",
            "purchase",
            {"price": 3.5},
        )

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("", "/kind", "required"),
            ("kind=films", "/kind", "unknown_kind"),
            ("kind=items&kind=users", "/kind", "repeated"),
            ("kind=items&dry_run=yes", "/dry_run", "not_a_boolean"),
            ("kind=items&filename=" + "x" * 256, "/filename", "too_long"),
            ("kind=items&map=id", "/map", "bad_pair"),
            ("kind=items&map=id%3Dcolour", "/map", "no_such_field"),
            ("kind=items&default=hidden%3Dmaybe", "/default", "bad_default"),
            ("kind=items&timezone=Mars", "/timezone", "unknown_timezone"),
            ("kind=items&extra=keep", "/extra", "unknown_value"),
            ("kind=items&preset=ga4", "/preset", "unknown_preset"),
            ("kind=items&time_unit=days", "/time_unit", "unknown_value"),
            ("kind=items&delimiter=ab%22", "/delimiter", "bad_delimiter"),
            ("kind=items&encoding=utf-7", "/encoding", "unknown_encoding"),
            ("kind=items&quote=ab", "/quote", "bad_sign"),
            ("kind=items&escape=x", "/escape", "bad_sign"),
            ("kind=items&columns=a&columns=a", "/columns", "mapped_twice"),
            ("kind=items&tenant=globex", "/tenant", "unknown_parameter"),
        ],
    )
    def test_says_what_is_wrong_with_the_query(self, cast, query, pointer, code):
        answer = send(cast.acme.http, query=query)

        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
        assert stored(cast.acme) == []

    def test_takes_more_than_other_bodies_and_no_more_than_configured(self, cast, settings):
        large = "item_id\n" + "".join(f"i{number}\n" for number in range(700_000))
        assert len(large) > 5 * 1024 * 1024
        taken = send(cast.acme.http, large)
        settings.IMPORT_MAX_BYTES = len(large) - 1

        refused = send(cast.acme.http, large)

        assert (taken.status_code, refused.status_code, refused.json()["code"]) == (202, 413, "too_large")
        assert f"{len(large) - 1:,} bytes" in refused.json()["detail"]
        assert len(stored(cast.acme)) == 1

    def test_refuses_too_many_at_once(self, cast, monkeypatch):
        monkeypatch.setattr(storage_quota, "MAX_OPEN", 1)
        send(cast.acme.http)

        refused = send(cast.acme.http)

        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert len(stored(cast.acme)) == 1

    def test_a_repetition_is_the_same_import_and_leaves_no_file(self, cast):
        answers = [send(cast.acme.http, **{"Idempotency-Key": "k"}) for _ in range(2)]
        other = send(cast.acme.http, ITEMS + "e,E\n", **{"Idempotency-Key": "k"})

        assert [answer.status_code for answer in (*answers, other)] == [202, 202, 422]
        assert answers[0].json() == answers[1].json()
        assert answers[1]["Idempotent-Replayed"] == "true"
        assert len(stored(cast.acme)) == 1

    def test_refuses_before_the_body_is_written(self, cast, settings, monkeypatch):
        def written(**_):
            raise AssertionError("the body was read")

        send(cast.acme.http)
        monkeypatch.setattr(uploads, "spool", written)
        settings.IMPORT_STORAGE_MAX_BYTES = 2 * len(ITEMS) - 1
        full = send(cast.acme.http)
        monkeypatch.setattr(storage_quota, "MAX_OPEN", 1)
        many = send(cast.acme.http)

        assert (full.status_code, many.status_code) == (409, 409)
        assert "IMPORT_STORAGE_MAX_BYTES" in full.json()["detail"]


class TestGet:
    def test_answers_304_until_something_happens(self, cast):
        started = send(cast.acme.http)
        url = started["Location"]
        tag = cast.acme.http.get(url)["ETag"]

        assert cast.acme.http.get(url, headers={"If-None-Match": tag}).status_code == 304
        run(cast.acme, started)
        assert cast.acme.http.get(url, headers={"If-None-Match": tag}).status_code == 200

    @pytest.mark.parametrize("import_id", ["0", "x", "-1", "9" * 30, "1.5", "٣"])
    def test_is_404_for_what_there_is_not(self, cast, import_id):
        assert cast.acme.http.get(f"{URL}/{import_id}").status_code == 404

    def test_does_not_show_imports_of_the_command_line(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            job = Import.objects.create(tenant=cast.acme.tenant, kind="items", filename="items.csv")

        assert cast.acme.http.get(f"{URL}/{job.pk}").status_code == 404
