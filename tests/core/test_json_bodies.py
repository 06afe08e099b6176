"""Bodies on the wire: how large, packed how, in which charset; each refusal says what is taken instead."""

import gzip
import json
import zlib

import pytest
from django.test import Client

from core.http.body_limits import max_bytes

MIB = 1024 * 1024
EVENT = {"user_id": "u", "item_id": "i", "type": "view"}
TOKEN = "/api/v1/auth/token"


def problem(response, status, code):
    told = response.json()
    assert (response.status_code, told["code"]) == (status, code), told
    return told


def sent(cast, body, path="/api/v1/events", **more):
    return cast.acme.http.post(path, data=body, content_type=more.pop("content_type", "application/json"), **more)


class TestSize:
    @pytest.mark.parametrize("path", ["/api/v1/events/batch", "/api/v1/items/batch", "/api/v1/users/batch"])
    def test_batches_take_five_mib(self, path):
        assert max_bytes(path) == 5 * MIB

    @pytest.mark.parametrize(
        "path", ["/api/v1/events", "/api/v1/items/a", "/api/v1/recommendations/batch", "/api/v1/users/batch/merge"]
    )
    def test_everything_else_takes_one(self, cast, path):
        body = json.dumps({"x": "y" * MIB})

        assert "1 MiB" in problem(sent(cast, body, path), 413, "too_large")["detail"]

    @pytest.mark.parametrize("path", [TOKEN, "/api/v1/auth/revoke", "/api/v1/auth/end-user-token", "/admin/login/"])
    @pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
    def test_what_needs_no_token_takes_sixteen_kib(self, db, path, content_type):
        body = b'{"grant_type":"' + b"x" * 16 * 1024 + b'"}'

        response = Client().post(path, data=body, content_type=content_type)

        assert response.status_code == 413
        assert b"16 KiB" in response.content

    def test_a_length_that_is_not_told_hides_nothing(self, cast):
        body = json.dumps({**EVENT, "context": {"a": "b" * MIB}})

        problem(sent(cast, gzip.compress(body.encode(), mtime=0), HTTP_CONTENT_ENCODING="gzip"), 413, "too_large")


class TestStructure:
    @pytest.mark.parametrize("body", ['[{"":0}]', '{"a":[{}]}', "[[]]", '"x"'])
    def test_the_token_endpoint_takes_flat_strings(self, db, body):
        response = Client().post(TOKEN, data=body, content_type="application/json")

        assert problem(response, 400, "invalid_request")["error"] == "invalid_request"

    @pytest.mark.parametrize("value", [5, True, None, [], {}, ["client_credentials"]])
    def test_a_parameter_is_one_string(self, db, value):
        response = Client().post(TOKEN, data={"grant_type": value}, content_type="application/json")

        problem(response, 400, "invalid_request")

    def test_a_form_has_few_fields(self, db):
        body = "&".join(f"a{n}=" for n in range(2000))

        response = Client().post(TOKEN, data=body, content_type="application/x-www-form-urlencoded")

        problem(response, 400, "invalid_request")

    @pytest.mark.parametrize("path", ["/api/v1/events/batch", "/api/v1/items/batch", "/api/v1/users/batch"])
    def test_a_batch_of_a_million_nothings_is_too_much(self, cast, path):
        body = b'{"events":[' + b",".join([b'{"":0}'] * 700_000) + b"]}"

        assert "lists and objects" in problem(sent(cast, body, path), 413, "too_large")["detail"]

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/events",
            "/api/v1/events/batch",
            "/api/v1/recommendations/batch",
            "/api/v1/recommendations/session",
            "/api/v1/users/u/merge",
            "/api/v1/users/u/rank",
            "/api/v1/auth/end-user-token",
        ],
    )
    @pytest.mark.parametrize(
        "body",
        [
            b'{"user_id": "a", "user_id": "b"}',
            b'{"value": NaN}',
            b'{"value": ' + b"9" * 5000 + b"}",
            b"[" * 21 + b"]" * 21,
            b"\xff\xfe{\x00}\x00",
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused_everywhere(self, cast, path, body):
        problem(sent(cast, body, path), 400, "bad_json")

    @pytest.mark.parametrize("value", ["1" + "0" * 300, "1" + "0" * 399, "1e400", '"\\ud800"', '"\\u0000"'])
    def test_values_that_nothing_can_hold_are_told_by_their_field(self, cast, value):
        body = json.dumps(EVENT)[:-1] + f', "value": {value}, "context": {{"a": {value}}}}}'

        assert {each["pointer"] for each in problem(sent(cast, body), 422, "invalid")["errors"]} == {
            "/value",
            "/context/a",
        }


class TestCoding:
    def test_gzip_is_unpacked(self, cast):
        packed = gzip.compress(json.dumps({"events": [EVENT]}).encode(), mtime=0)

        response = sent(cast, packed, "/api/v1/events/batch", HTTP_CONTENT_ENCODING="gzip")

        assert response.json()["summary"] == {"created": 1}

    def test_one_write_is_the_same_however_it_was_packed(self, cast):
        body = json.dumps({**EVENT, "event_id": "e"}).encode()
        packed = [gzip.compress(body, level, mtime=level) for level in (1, 9)]
        options = {"HTTP_CONTENT_ENCODING": "gzip", "HTTP_IDEMPOTENCY_KEY": "once"}

        first, again = (sent(cast, each, **options) for each in packed)
        plain = sent(cast, body, HTTP_IDEMPOTENCY_KEY="once")

        assert [each.status_code for each in (first, again, plain)] == [201, 201, 201]
        assert again["Idempotent-Replayed"] == plain["Idempotent-Replayed"] == "true"

    def test_a_packed_form_gets_its_answer(self, db):
        response = Client().post(
            TOKEN,
            data=gzip.compress(b"grant_type=nonsense", mtime=0),
            content_type="application/x-www-form-urlencoded",
            HTTP_CONTENT_ENCODING="gzip",
        )

        problem(response, 400, "unsupported_grant_type")

    @pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "compress", "x" * 1000])
    def test_any_other_coding_is_415_and_says_what_is_taken(self, cast, coding):
        told = problem(sent(cast, b"{}", HTTP_CONTENT_ENCODING=coding), 415, "unsupported_media_type")

        assert "plain or as gzip" in told["detail"]
        assert len(told["detail"]) < 200

    @pytest.mark.parametrize("coding", ["identity", "", "Identity "])
    def test_no_coding_at_all_may_be_said(self, cast, coding):
        assert sent(cast, json.dumps(EVENT), HTTP_CONTENT_ENCODING=coding).status_code == 201

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            gzip.compress(b"{}", mtime=0)[:-5],
            b"\x1f\x8b",
            zlib.compress(b"{}"),
            gzip.compress(b"{}", mtime=0) + b"rest",
        ],
    )
    def test_what_is_no_whole_gzip_is_told_so(self, cast, body):
        assert "gzip" in problem(sent(cast, body, HTTP_CONTENT_ENCODING="gzip"), 400, "bad_json")["detail"]

    def test_a_bomb_is_not_unpacked(self, cast):
        bomb = gzip.compress(b'{"a": "' + b"x" * 50 * MIB + b'"}', mtime=0)

        told = problem(sent(cast, bomb, "/api/v1/events/batch", HTTP_CONTENT_ENCODING="gzip"), 413, "too_large")

        assert "decompresses to more than 5 MiB" in told["detail"]

    def test_nor_is_one_that_stays_below_the_size_and_is_nothing_but_repetition(self, cast):
        bomb = gzip.compress(b'{"a": "' + b"x" * 4 * MIB + b'"}', mtime=0)

        problem(sent(cast, bomb, "/api/v1/events/batch", HTTP_CONTENT_ENCODING="gzip"), 413, "too_large")

    def test_nor_is_one_of_very_many_members(self, cast):
        packed = gzip.compress(b"", mtime=0) * 200_000

        told = problem(sent(cast, packed, "/api/v1/events/batch", HTTP_CONTENT_ENCODING="gzip"), 400, "bad_json")

        assert "members" in told["detail"]


class TestCharset:
    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8", "us-ascii"])
    def test_utf_8_by_any_name_is_taken(self, cast, charset):
        body = json.dumps(EVENT)

        assert sent(cast, body, content_type=f"application/json; charset={charset}").status_code == 201

    @pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-16", "rot13", "hex", "nonsense"])
    def test_any_other_is_415(self, cast, charset):
        body = '{"user_id": "u", "item_id": "i", "type": "view", "context": {"a": "ü"}}'.encode("latin-1")

        response = sent(cast, body, content_type=f"application/json; Charset={charset}")

        assert "send UTF-8" in problem(response, 415, "unsupported_media_type")["detail"]

    def test_of_a_form_too(self, db):
        content_type = "application/x-www-form-urlencoded; charset=utf-16"

        problem(Client().post(TOKEN, data="a=b", content_type=content_type), 415, "invalid_request")

    def test_a_byte_order_mark_is_passed_over(self, cast):
        assert sent(cast, b"\xef\xbb\xbf" + json.dumps(EVENT).encode()).status_code == 201


class TestAnswers:
    @pytest.mark.parametrize(("path", "name"), [("items", "items"), ("users", "users"), ("events", "events")])
    def test_a_row_of_unknown_fields_makes_no_long_answer(self, cast, path, name):
        row = {f"f{number}": 0 for number in range(20_000)}

        response = sent(cast, json.dumps({name: [row]}), f"/api/v1/{path}/batch")

        assert response.json()["summary"] == {"rejected": 1}
        assert len(response.content) < 10_000
