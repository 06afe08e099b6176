"""Every error is a problem (RFC 9457), also one that no view saw, and its type leads to a page."""

import http.client
import json
import re
import socket

import pytest
from django.test import Client

from core.http.problem_codes import pages
from tests.contracts.service import codes

API = b"/api/v1"
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}


class TestCodes:
    def test_each_in_the_source_has_a_page(self):
        missing = {code: where for code, where in codes.in_source().items() if code not in pages()}

        assert not missing, (
            "These codes lead to no page. Add each to CODES in core/http/problem_codes.py, "
            "accounts/api/problem_codes.py or recommendations/api/problem_codes.py, "
            f"with its status, meaning and remedy: {missing}"
        )

    def test_each_page_is_of_one_in_the_source(self):
        assert pages().keys() - codes.in_source().keys() == set()

    def test_are_read_from_the_source_in_every_way_they_are_written(self):
        assert {"idempotency_key_reused", "invalid_scope", "quota_exceeded", "bad_json", "too_large"} <= (
            codes.in_source().keys()
        )


class TestPages:
    @pytest.mark.parametrize("code", pages())
    def test_say_what_to_do(self, code):
        answer = Client().get(f"/problems/{code}")
        text = answer.content.decode()

        assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert set(answer["Cache-Control"].split(", ")) == {"public", "max-age=300"}
        assert code in text
        assert "`" not in text
        assert min(map(len, (pages()[code].meaning, pages()[code].remedy))) > 12
        assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text) == []

    def test_take_their_looks_from_here(self, db):
        (sheet,) = re.findall(r'rel="stylesheet" href="([^"]+)"', Client().get("/problems/invalid").content.decode())
        answer = Client().get(sheet)

        assert (answer.status_code, b"".join(answer)[:5]) == (200, b":root")
        answer.close()

    def test_are_listed(self):
        text = Client().get("/problems/").content.decode()

        assert [code for code in pages() if f'href="/problems/{code}"' not in text] == []

    def test_are_only_there_for_codes_that_there_are(self):
        answer = Client().get("/problems/no_such_code")

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def _request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, b"Host: 127.0.0.1", b"Connection: close", *headers, b"", b""]) + body


def _json(path: bytes, body: bytes) -> bytes:
    return _request(
        b"POST " + API + path + b" HTTP/1.1",
        b"Authorization: Bearer %b",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        body=body,
    )


WRONG = {
    "no such route": (_request(b"GET /nowhere HTTP/1.1"), 404, "not_found"),
    "no such route of the API": (_request(b"GET /api/v1/nowhere HTTP/1.1"), 404, "not_found"),
    "a method that there is not": (
        _request(b"PATCH /api/v1/items HTTP/1.1", b"Authorization: Bearer %b"),
        405,
        "method_not_allowed",
    ),
    "a method that HTTP has not": (_request(b"BREW /api/v1/items HTTP/1.1"), 405, "method_not_allowed"),
    "a page's method": (_request(b"POST /problems/ HTTP/1.1"), 403, "forbidden"),
    "no token": (_request(b"GET /api/v1/items HTTP/1.1"), 401, "unauthenticated"),
    "a large body": (
        _request(b"POST /api/v1/events HTTP/1.1", b"Authorization: Bearer %b", b"Content-Length: 5242881"),
        413,
        "too_large",
    ),
    "a form": (
        _request(
            b"POST /api/v1/events HTTP/1.1",
            b"Authorization: Bearer %b",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: 1",
            body=b"a",
        ),
        415,
        "unsupported_media_type",
    ),
    "half a document": (_json(b"/events", b'{"user_id": '), 400, "bad_json"),
    "no UTF-8": (_json(b"/events", b'{"user_id": "\xff"}'), 400, "bad_json"),
    "too much depth": (_json(b"/events", b"[" * 100_000), 400, "bad_json"),
    "a foreign host": (b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n", 400, "bad_request"),
    "no request line": (b"nonsense\r\n\r\n", 400, "bad_request"),
    "a version that there is not": (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
    "a header without a colon": (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, "bad_request"),
    "a long address": (_request(b"GET /?" + b"a" * 9000 + b" HTTP/1.1"), 414, "address_too_long"),
    "a long header": (_request(b"GET / HTTP/1.1", b"X: " + b"a" * 9000), 431, "headers_too_large"),
    "a strange expectation": (_request(b"GET / HTTP/1.1", b"Expect: tea"), 417, "expectation_failed"),
    "a strange coding": (_request(b"POST / HTTP/1.1", b"Transfer-Encoding: brotli"), 501, "not_implemented"),
}


class TestWire:
    """Answers of the production server to bytes that no client library would send."""

    @pytest.mark.parametrize("name", WRONG)
    def test_is_a_problem(self, service, name):
        sent, status, code = WRONG[name]
        token = service.cast.acme.admin.token.encode()
        with socket.create_connection(("127.0.0.1", service.web.port), timeout=15) as connection:
            connection.sendall(sent.replace(b"Bearer %b", b"Bearer " + token))
            response = http.client.HTTPResponse(connection)
            response.begin()
            told = json.loads(response.read())

        assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
        assert told.keys() >= MEMBERS
        assert (told["status"], told["code"], told["type"]) == (status, code, f"/problems/{code}")
        assert told["title"] == pages()[code].title
        assert status in pages()[code].statuses
        assert told["request_id"] == response.headers["X-Request-ID"]
        assert response.headers["Cache-Control"] == "no-store"
