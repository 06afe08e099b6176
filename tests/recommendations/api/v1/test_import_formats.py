"""Files that the API imports: form, packing, encoding, and layout of tables."""

import gzip

import pytest

from accounts.tenancy import scope
from recommendations.models import Item
from tests.recommendations.api.v1.importing import ITEMS, URL, run, send, stored


class TestFile:
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

    def test_takes_a_preset_and_a_table_without_a_header(self, cast):
        answer = send(cast.acme.http, "1::1193::5::978300760\n", query="kind=events&preset=movielens-1m")
        assert run(cast.acme, answer).json()["rows"]["created"] == 1

        answer = send(cast.acme.http, "a,A\n", query="kind=items&columns=item_id&columns=title")
        assert run(cast.acme, answer).json()["rows"]["created"] == 1

    def test_takes_cells_with_escaped_quotation_marks(self, cast):
        answer = send(cast.acme.http, 'item_id,title\na,"A 5\\" nail"\n', query="kind=items&escape=%5C")

        assert run(cast.acme, answer).json()["rows"]["created"] == 1
        assert cast.acme.http.get("/api/v1/items/a").json()["title"] == 'A 5" nail'

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
