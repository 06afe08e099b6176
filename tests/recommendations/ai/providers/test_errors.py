"""Refusals of servers in every form, and the redacted text that is reported."""

import pytest

from recommendations.ai.providers.errors import (
    error_from_response,
    error_in_completion,
    parse_body,
    redact,
    retry_after,
)

PROMPT = ["You order lists.", 'History: ["Alien (1979)", "Dead Man Walking (1995)"]. The person lives in Graz.']


def _failure(status, body=None, headers=None):
    return error_from_response(status=status, body=body, headers=headers or {}, prompt=PROMPT, key="secret-key-1")


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({}, None),
            ({"retry-after": "5"}, 5.0),
            ({"retry-after": "5", "retry-after-ms": "250"}, 0.25),
            ({"retry-after": "-5"}, None),
            ({"retry-after": "inf"}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ],
    )
    def test_reads_seconds_milliseconds_and_dates(self, headers, expected):
        assert retry_after(headers) == expected


class TestFailure:
    @pytest.mark.parametrize(
        ("status", "permanent"),
        [
            (400, True),
            (401, True),
            (403, True),
            (404, True),
            (408, False),
            (409, False),
            (422, True),
            (500, False),
            (503, False),
        ],
    )
    def test_says_whether_the_same_call_can_succeed_later(self, status, permanent):
        assert _failure(status).permanent is permanent

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (429, {"error": {"code": "insufficient_quota"}}),
            (429, {"error": {"type": "insufficient_quota", "code": None}}),
            (429, {"error": {"code": "billing_hard_limit_reached"}}),
            (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
            (402, "Payment Required"),
            (
                400,
                {
                    "type": "error",
                    "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"},
                },
            ),
            (403, {"error": {"code": 403, "message": "This request requires more credits"}}),
        ],
    )
    def test_knows_spent_money_from_a_rate_limit(self, status, body):
        error = _failure(status, body)

        assert (error.reason, error.permanent, error.refused, error.retry_after) == ("throttled", True, True, None)

    @pytest.mark.parametrize(
        ("status", "body", "headers"),
        [
            (429, {"error": {"code": "rate_limit_exceeded"}}, {"retry-after": "1"}),
            (429, {"message": "Requests rate limit exceeded"}, {}),
            (529, {"type": "error", "error": {"type": "overloaded_error"}}, {}),
            (498, {"error": {"code": "capacity_exceeded"}}, {}),
            (
                429,
                [
                    {
                        "error": {
                            "code": 429,
                            "status": "RESOURCE_EXHAUSTED",
                            "message": "You exceeded your current quota",
                        }
                    }
                ],
                {},
            ),
        ],
    )
    def test_a_rate_limit_passes(self, status, body, headers):
        error = _failure(status, body, headers)

        assert (error.reason, error.permanent, error.refused) == ("throttled", False, False)

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"code": "content_filter", "message": "The prompt triggered the policy."}},
            {"error": {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "filtered"}},
            {"error": {"code": "data_inspection_failed", "message": "inappropriate content"}},
        ],
    )
    def test_a_content_filter_refuses_this_question_and_not_the_account(self, body):
        error = _failure(400, body)

        assert (error.reason, error.permanent, error.refused, error.usage) == ("invalid", True, False, None)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, {"error": {"code": "model_not_found", "message": "The model `x` does not exist"}}),
            (400, {"error": {"code": "model_not_found"}}),
            (400, [{"error": {"status": "UNAUTHENTICATED"}}]),
            (401, None),
            (403, "<html>"),
        ],
    )
    def test_what_every_call_would_meet_is_refused(self, status, body):
        error = _failure(status, body)

        assert (error.reason, error.permanent, error.refused) == ("error", True, True)

    @pytest.mark.parametrize("status", [408, 504, 524])
    def test_after_a_time_out_nobody_knows_what_was_spent(self, status):
        error = _failure(status)

        assert (error.reason, error.spend_unknown) == ("timeout", True)


class TestWords:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"error": {"message": "Unknown parameter: 'store'.", "code": "unknown_parameter"}}, "Unknown parameter"),
            ({"error": "model overloaded"}, "model overloaded"),
            ({"message": "bad request", "request_id": "x"}, "bad request"),
            ({"detail": "Not Found"}, "Not Found"),
            ({"detail": [{"loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]}, "body.store: Extra"),
            ({"error": {"message": {"detail": 1}, "detail": [{"loc": ["a"], "msg": "wrong"}]}}, "a: wrong"),
            ([{"error": {"message": "API key not valid."}}], "API key not valid."),
            ("plain words", "plain words"),
        ],
    )
    def test_are_the_vendor_s(self, body, says):
        assert says in _failure(400, body).detail

    @pytest.mark.parametrize(
        "body", [None, {}, [], 5, "<html><body>nginx</body></html>", {"error": None}, {"error": [1]}]
    )
    def test_may_be_missing(self, body):
        assert _failure(500, body).detail == "HTTP 500"

    @pytest.mark.parametrize(
        "message",
        [
            'Invalid input: History: ["Alien (1979)", "Dead Man Walking (1995)"]',
            'Invalid input: \\"Dead Man Walking (1995)\\" The person lives in Graz',
            "Invalid: dead man walking 1995",
        ],
    )
    def test_repeat_nothing_of_the_prompt(self, message):
        detail = _failure(422, {"error": {"message": message}}).detail.lower()

        assert "invalid" in detail
        assert "walking" not in detail
        assert "graz" not in detail

    def test_tell_no_key(self):
        body = {"error": {"message": "Incorrect API key provided: secret-key-1 or sk-proj-abc123def."}}

        detail = _failure(401, body).detail

        assert "Incorrect API key provided" in detail
        assert "secret-key-1" not in detail
        assert "abc123" not in detail

    def test_are_one_short_line(self):
        said = redact("first\nsecond\x00 \u202e" + "x" * 10_000)

        assert said.startswith("first second")
        assert len(said) <= 300


class TestFailureInAnswer:
    @pytest.mark.parametrize(
        ("envelope", "expected"),
        [
            ({"error": {"code": 429, "message": "Rate limited"}}, ("throttled", False)),
            ({"error": {"code": 402, "message": "Insufficient credits"}}, ("throttled", True)),
            ({"error": {"code": 502, "message": "Provider returned error"}}, ("error", False)),
            ({"error": {"message": "upstream failed"}}, ("error", False)),
            ({"error": {"code": "rate_limit_exceeded"}}, ("throttled", False)),
            ({"error": {"code": "content_filter"}}, ("invalid", True)),
            ({"choices": [{"error": {"code": 503, "message": "overloaded"}}]}, ("error", False)),
        ],
    )
    def test_an_error_in_a_200_is_the_error_that_it_is(self, envelope, expected):
        error = error_in_completion(envelope)

        assert error is not None
        assert (error.reason, error.permanent) == expected
        assert error.usage is None

    @pytest.mark.parametrize("envelope", [{}, {"error": None}, {"choices": []}, {"choices": [5]}, {"choices": [{}]}])
    def test_there_is_none(self, envelope):
        assert error_in_completion(envelope) is None


class TestParse:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [(b'{"a": 1}', {"a": 1}), (b'\xef\xbb\xbf{"a": 1}', {"a": 1}), (b"\xff", "\ufffd"), (b"[" * 9999, "[" * 9999)],
    )
    def test_never_fails(self, body, expected):
        assert parse_body(body) == expected
