"""Imports over HTTP: /api/v1/imports and what stands under it."""

import gzip

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

    @pytest.mark.parametrize(
        ("body", "content_type", "headers"),
        [
            ('{"item_id": "a"}\n{"item_id": "d"}\n', "application/x-ndjson", {}),
            (gzip.compress(b"item_id\na\nd\n", mtime=0), "text/csv", {"Content-Encoding": "gzip"}),
            (
                gzip.compress(b'{"item_id": "a"}\n{"item_id": "d"}\n', mtime=0),
                "application/x-ndjson; charset=utf-8",
                {},
            ),
        ],
        ids=["ndjson", "packed csv", "packed ndjson"],
    )
    def test_takes_csv_and_ndjson_plain_and_packed(self, cast, body, content_type, headers):
        answer = send(cast.acme.http, body, content_type=content_type, **headers)

        assert run(cast.acme, answer).json()["rows"]["created"] == 2

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

    def test_takes_a_preset_and_a_table_without_a_header(self, cast):
        answer = send(cast.acme.http, "1::1193::5::978300760\n", query="kind=events&preset=movielens-1m")
        assert run(cast.acme, answer).json()["rows"]["created"] == 1

        answer = send(cast.acme.http, "a,A\n", query="kind=items&columns=item_id&columns=title")
        assert run(cast.acme, answer).json()["rows"]["created"] == 1

    def test_takes_cells_with_escaped_quotation_marks(self, cast):
        answer = send(cast.acme.http, 'item_id,title\na,"A 5\\" nail"\n', query="kind=items&escape=%5C")

        assert run(cast.acme, answer).json()["rows"]["created"] == 1
        assert cast.acme.http.get("/api/v1/items/a").json()["title"] == 'A 5" nail'

    def test_tells_the_times_and_types_of_events(self, cast):
        text = (
            "user_id,item_id,type,occurred_at\nu,a,view,2026-03-01T00:00:00Z\n"
            "u,b,gift_wrapped,2024-01-01T00:00:00Z\nu,c,view,2026-02-01T00:00:00Z\n"
        )

        for query in ("kind=events&dry_run=true", "kind=events"):
            summary = run(cast.acme, send(cast.acme.http, text, query=query)).json()["summary"]

            assert summary == {
                "skipped": 0,
                "occurred_from": "2024-01-01T00:00:00+00:00",
                "occurred_to": "2026-03-01T00:00:00+00:00",
                "untimed": 0,
                "types": {"view": 2, "gift_wrapped": 1},
                "types_without_weight": {"gift_wrapped": 1},
                "low_ratings": None,
                "emptied": {},
                "left_out": {},
            }

    def test_a_dry_run_tells_what_would_be_emptied(self, cast):
        run(cast.acme, send(cast.acme.http, "item_id,title,categories\na,A,x\nb,B,\n"))
        text = "item_id,title,categories\na,,\nb,B,\n"

        done = run(cast.acme, send(cast.acme.http, text, query="kind=items&dry_run=true")).json()

        assert done["summary"]["emptied"] == {"title": 1, "categories": 1}
        assert cast.acme.http.get("/api/v1/items/a").json()["title"] == "A"

    def test_an_attribute_that_is_left_out_is_told_and_its_row_kept(self, cast):
        rows = '{"item_id": "a", "attributes": {"x": null, "y": "' + "z" * 1001 + '", "n": 1}}\n'

        answer = send(cast.acme.http, rows, content_type="application/x-ndjson")
        done = run(cast.acme, answer).json()

        assert (done["rows"]["created"], done["rows"]["rejected"]) == (1, 0)
        assert done["summary"]["left_out"] == {"x: null_attribute": 1, "y: too_long": 1}
        assert cast.acme.http.get("/api/v1/items/a").json()["attributes"] == {"n": 1}
        (told,) = cast.acme.http.get(f"{URL}/{done['import_id']}/errors").json()["data"]
        assert (told["field"], told["code"]) == ("attributes/y", "too_long")
        assert "omitted" in told["detail"]

    def test_a_dry_run_keeps_nothing(self, cast):
        done = run(cast.acme, send(cast.acme.http, query="kind=items&dry_run=true")).json()

        assert (done["dry_run"], done["rows"]["created"], done["rows"]["rejected"]) == (True, 2, 1)
        with scope.tenant(cast.acme.tenant.pk):
            assert not Item.objects.exists()

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

    @pytest.mark.parametrize(
        ("body", "content_type", "headers", "status"),
        [
            (ITEMS, "application/xml", {}, 415),
            (ITEMS, "text/csv; charset=ebcdic-9", {}, 415),
            (ITEMS, "multipart/form-data; boundary=x", {}, 415),
            (ITEMS, "text/csv", {"Content-Encoding": "br"}, 415),
            ("", "text/csv", {}, 422),
        ],
    )
    def test_refuses_what_is_no_such_file(self, cast, body, content_type, headers, status):
        answer = send(cast.acme.http, body, content_type=content_type, **headers)

        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
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

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/vnd.ms-excel", "application/octet-stream", "application/json"]
    )
    @pytest.mark.parametrize("body", ["item_id;title\na;A\n", '[{"item_id": "a"}]', '{"item_id": "a"}\n'])
    def test_takes_what_the_content_is_whatever_it_is_called(self, cast, content_type, body):
        done = run(cast.acme, send(cast.acme.http, body, content_type=content_type)).json()

        assert (done["status"], done["rows"]["created"]) == ("done", 1)
        assert done["format"] == {"i": "csv", "[": "json", "{": "ndjson"}[body[0]]

    def test_takes_a_file_without_a_media_type(self, cast):
        answer = cast.acme.http.generic("POST", f"{URL}?kind=items", b"item_id\na\n", content_type="")

        assert run(cast.acme, answer).json()["rows"]["created"] == 1

    @pytest.mark.parametrize(
        ("charset", "encoding"), [("iso-8859-1", "latin-1"), ("Windows-1252", "cp1252"), ("utf-16", "utf-16")]
    )
    def test_decodes_the_charset_that_is_said(self, cast, charset, encoding):
        body = "item_id,title\na,Ärger\n".encode(encoding)
        run(cast.acme, send(cast.acme.http, body, content_type=f"text/csv; charset={charset}"))

        with scope.tenant(cast.acme.tenant.pk):
            assert Item.objects.get().title == "Ärger"

    def test_says_what_it_takes(self, cast):
        detail = send(cast.acme.http, content_type="multipart/form-data; boundary=x").json()["detail"]
        charset = send(cast.acme.http, content_type="text/csv; charset=utf-7").json()["detail"]

        assert "text/csv" in detail
        assert "application/x-ndjson" in detail
        assert "windows-1252" in charset

    def test_one_that_keeps_nothing_has_failed_and_groups_what_was_wrong(self, cast):
        done = run(cast.acme, send(cast.acme.http, "item_id\n" + ("x" * 200 + "\n") * 300)).json()

        assert done["status"] == "failed"
        assert "No row was stored: all 300 rows" in done["error"]
        (group,) = done["rejections"]
        assert (group["field"], group["code"], group["count"]) == ("item_id", "too_long", 300)
        assert group["lines"] == [2, 3, 4, 5, 6]


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


class TestFormat:
    """A file may be sent as plain bytes, as generated clients do; the query then says its form."""

    BYTES = "application/octet-stream"

    @pytest.mark.parametrize(("form", "body"), [("csv", "item_id\na\n"), ("ndjson", '{"item_id": "a"}\n')])
    def test_of_bytes_is_said_in_the_query(self, cast, form, body):
        query = f"kind=items&format={form}"
        for sent_body in (body, gzip.compress(body.encode(), mtime=0)):
            answer = send(cast.acme.http, sent_body, query=query, content_type=self.BYTES)

            assert (answer.status_code, answer.json()["format"]) == (202, form)
            rows = run(cast.acme, answer).json()["rows"]
            assert rows["created"] + rows["unchanged"] == 1

    @pytest.mark.parametrize(
        ("content_type", "query", "code"),
        [
            (BYTES, "kind=items&format=xml", "unknown_format"),
            ("text/csv", "kind=items&format=ndjson", "other_format"),
            ("text/csv", "kind=items&format=csv&format=csv", "repeated"),
        ],
    )
    def test_that_is_missing_or_contradicts_is_refused(self, cast, content_type, query, code):
        answer = send(cast.acme.http, query=query, content_type=content_type)

        assert answer.status_code == 422
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/format", code)]
        assert stored(cast.acme) == []

    def test_that_is_said_twice_alike_is_taken(self, cast):
        assert send(cast.acme.http, query="kind=items&format=csv").status_code == 202
