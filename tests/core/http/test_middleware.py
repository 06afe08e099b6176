"""The outermost layers: ids, problems for everything, limits of the body, probes from any host."""

import json

import pytest
from django.test import Client

from core.metrics import REQUEST_SECONDS

MIB = 1024 * 1024


def problem(response, status, code):
    """The problem document, checked for what every one has."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"].endswith(f"/{code}")
    assert body["request_id"] == response["X-Request-ID"]
    assert "Traceback" not in body["detail"]
    assert set(body) >= {"title", "detail", "instance", "errors"}
    return body


@pytest.fixture
def http():
    """A client that sees what a caller sees of an exception."""
    return Client(raise_request_exception=False)


class TestRequestId:
    @pytest.mark.parametrize("given", ["0123456789abcdef", "a.b_c-d-E", "x" * 128])
    def test_a_sane_one_is_kept(self, http, given):
        assert http.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given

    @pytest.mark.parametrize(
        "given", ["short", "x" * 129, "with blank in it", "line\nfeed12", "<script>alert", "ümlautümlaut"]
    )
    def test_any_other_is_replaced(self, http, given):
        answered = http.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]

        assert answered != given
        assert len(answered) == 24

    def test_each_request_gets_its_own(self, http):
        assert http.get("/healthz")["X-Request-ID"] != http.get("/healthz")["X-Request-ID"]


class TestProblems:
    @pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/nothing/", "/.well-known/nothing"])
    def test_404(self, http, path):
        assert problem(http.get(path), 404, "not_found")["instance"] == path

    @pytest.mark.parametrize("path", ["/api/v1/auth/token", "/.well-known/jwks.json"])
    def test_405_names_the_methods(self, http, path):
        response = http.delete(path)

        problem(response, 405, "method_not_allowed")
        assert response["Allow"]

    def test_options_is_left_to_cors(self, http):
        problem(http.options("/api/v1/auth/token"), 405, "method_not_allowed")

    @pytest.mark.parametrize("path", ["/api/v1/recommendations/popular", "/api/v1/nothing", "/nothing", "/api/docs/"])
    def test_a_foreign_host(self, http, path):
        problem(http.get(path, headers={"Host": "evil.example"}), 400, "bad_request")

    def test_415(self, cast):
        response = cast.acme.http.put("/api/v1/items/a", data="x", content_type="text/plain")

        problem(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b'{"item_id": "a",}',
            b"\xff\xfe{}",
            b'{"title": "\xff"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"1" * 5000,
        ],
    )
    def test_broken_json(self, cast, body):
        response = cast.acme.http.put("/api/v1/items/a", data=body, content_type="application/json")

        problem(response, 400, "bad_json")

    def test_a_name_that_utf8_cannot_carry_is_told_readably(self, cast):
        response = cast.acme.http.post(
            "/api/v1/recommendations/batch", data=b'{"user_ids": ["a"], "\\ud800": 1}', content_type="application/json"
        )

        assert problem(response, 422, "invalid")["errors"][0]["pointer"] == "/\\ud800"

    def test_many_unknown_fields_make_no_long_answer(self, cast):
        body = {"user_ids": ["a"], **{f"{'x' * 1000}{number}": 1 for number in range(500)}}

        response = cast.acme.http.post("/api/v1/recommendations/batch", body, format="json")

        problem(response, 422, "invalid")
        assert len(response.content) < 40_000

    def test_500_says_nothing_of_the_inside(self, http, monkeypatch):
        from core.ops import health

        monkeypatch.setitem(health._state, "draining", _Explosive())
        response = http.get("/readyz")

        assert "boom" not in response.content.decode()
        problem(response, 500, "internal_error")


class _Explosive:
    """A value that cannot be asked whether it is true."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError("boom: a secret of the inside")


class TestBody:
    def test_a_body_of_more_than_five_mib_is_413(self, cast):
        body = json.dumps({"title": "x" * (5 * MIB)})

        response = cast.acme.http.put("/api/v1/items/a", data=body, content_type="application/json")

        problem(response, 413, "too_large")

    def test_a_form_of_more_than_five_mib_is_413(self, http):
        response = http.post(
            "/api/v1/auth/token", data="scope=" + "x" * (5 * MIB), content_type="application/x-www-form-urlencoded"
        )

        problem(response, 413, "too_large")

    @pytest.mark.parametrize("length", ["99999999999999999999", str(5 * MIB + 1)])
    def test_a_length_that_lies_is_believed_where_it_refuses(self, cast, length):
        response = cast.acme.http.put(
            "/api/v1/items/a", data="{}", content_type="application/json", CONTENT_LENGTH=length
        )

        problem(response, 413, "too_large")

    @pytest.mark.parametrize("length", ["²", "-1", "ten", ""])
    def test_a_length_that_is_none_is_no_error_of_ours(self, cast, length):
        response = cast.acme.http.put(
            "/api/v1/items/a", data="{}", content_type="application/json", CONTENT_LENGTH=length
        )

        assert response.status_code < 500

    def test_a_length_that_is_too_short_cuts_the_body(self, cast):
        response = cast.acme.http.put(
            "/api/v1/items/a", data='{"title": "a"}', content_type="application/json", CONTENT_LENGTH="5"
        )

        problem(response, 400, "bad_json")


class TestNul:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/users/a%00b/recommendations",
            "/api/v1/items/%00",
            "/api/v1/items?category=%00",
            "/api/v1/items?cursor=%00",
            "/api/v1/events?user_id=%00",
            "/api/v1/recommendations/popular?category=a%00b",
            "/api/v1/users/u/recommendations?placement=%00",
            "/api/v1/users/u/recommendations?cursor=%00",
            "/api/v1/users/u/recommendations?exclude=%00",
            "/%00",
        ],
    )
    def test_is_never_an_internal_error(self, cast, path):
        response = cast.acme.http.get(path)

        assert 400 <= response.status_code < 500
        assert response["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("path", ["/api/v1/items/%ff", "/api/v1/items/a%ed%a0%80", "/api/v1/items?category=%ff"])
    def test_nor_is_a_path_that_is_no_utf8(self, cast, path):
        assert cast.acme.http.get(path).status_code < 500

    def test_in_the_admin_s_search(self, cast, admin_client):
        response = admin_client.get("/admin/accounts/tenant/?q=%00")

        assert response.status_code < 500

    def test_in_a_query_that_no_view_checked_is_the_caller_s_fault(self, db):
        from django.http import HttpRequest, HttpResponse

        from accounts.models import Plan
        from core.http.middleware import EdgeMiddleware

        edge = EdgeMiddleware(lambda request: HttpResponse())
        with pytest.raises(Exception, match="NUL") as refused:
            Plan.objects.filter(name="\0").exists()

        response = edge.process_exception(HttpRequest(), refused.value)

        assert response is not None
        assert response.status_code == 422


class TestHead:
    def test_answers_like_get(self, cast):
        response = cast.acme.http.head("/api/v1/recommendations/popular")

        assert response.status_code == 200
        assert response["ETag"] == cast.acme.http.get("/api/v1/recommendations/popular")["ETag"]

    def test_needs_the_scope_of_get(self, cast):
        assert cast.acme.http.head("/api/v1/items").status_code == 200
        assert cast.anonymous.head("/api/v1/items").status_code == 401

    @pytest.mark.parametrize("method", ["options", "trace", "post", "delete"])
    def test_a_method_that_does_not_exist_is_405(self, cast, method):
        assert getattr(cast.acme.http, method)("/api/v1/items").status_code == 405


class TestProbes:
    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_answer_by_any_name_and_without_tls(self, db, redis_server, http, settings, path):
        settings.SECURE_SSL_REDIRECT = True

        assert http.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
        assert http.get("/api/v1/items").status_code in {301, 401}


class TestMetrics:
    def test_a_made_up_method_makes_no_series(self, http):
        before = {sample.labels["method"] for metric in REQUEST_SECONDS.collect() for sample in metric.samples}
        for number in range(5):
            http.generic(f"MADEUP{number}", "/healthz")
        after = {sample.labels["method"] for metric in REQUEST_SECONDS.collect() for sample in metric.samples}

        assert after - before <= {"OTHER"}

    def test_unknown_paths_share_one_series(self, http):
        for number in range(5):
            http.get(f"/nothing/{number}")
        routes = {sample.labels["route"] for metric in REQUEST_SECONDS.collect() for sample in metric.samples}

        assert "unmatched" in routes
        assert not any("nothing" in route for route in routes)

    def test_are_not_there_for_who_has_no_token(self, http, settings):
        """A proxy that adds no header must not show them to everybody."""
        settings.METRICS_PUBLIC = False

        problem(http.get("/metrics"), 404, "not_found")
        settings.METRICS_TOKEN = "s3cret"
        problem(http.get("/metrics"), 404, "not_found")
        for wrong in ("Bearer ", "Bearer s3cre", "s3cret", "Bearer s3cret\u00e9", "Basic s3cret"):
            problem(http.get("/metrics", headers={"Authorization": wrong}), 404, "not_found")
        assert http.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200

    def test_have_a_port_where_nothing_else_is(self, http, settings):
        settings.METRICS_PUBLIC, settings.METRICS_PORT = False, 9101

        assert http.get("/metrics", SERVER_PORT="9101").status_code == 200
        assert http.get("/healthz", SERVER_PORT="9101").status_code == 200
        problem(http.get("/api/v1/items", SERVER_PORT="9101"), 404, "not_found")
        problem(http.get("/metrics", SERVER_PORT="8000", headers={"Host": "testserver:9101"}), 404, "not_found")

    def test_unless_they_are_public(self, http, settings):
        settings.METRICS_PUBLIC = True

        assert http.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200


class TestCors:
    def test_an_error_before_any_view_keeps_its_origin(self, http, settings):
        settings.CORS_ALLOWED_ORIGINS = ["https://shop.example.org"]

        response = http.get("/api/v1/nothing", headers={"Origin": "https://shop.example.org"})

        problem(response, 404, "not_found")
        assert response["Access-Control-Allow-Origin"] == "https://shop.example.org"

    def test_a_stranger_s_origin_gets_nothing(self, http, settings):
        settings.CORS_ALLOWED_ORIGINS = ["https://shop.example.org"]

        response = http.get("/api/v1/nothing", headers={"Origin": "https://shop.example.org.evil.example"})

        assert not response.has_header("Access-Control-Allow-Origin")
