"""Usage figures and headers are read without trust."""

import pytest

from recommendations.ai.openai_answers import failure, read_usage, retry_after
from recommendations.ai.provider import Usage

GOOD = {
    "prompt_tokens": 60,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 10},
}


class TestReadUsage:
    def test_takes_figures_that_can_be_true(self, question):
        usage = read_usage(GOOD, request=question, bound=100)

        assert usage == Usage(input_tokens=60, cached_tokens=20, output_tokens=30, reasoning_tokens=10)

    def test_does_without_the_details(self, question):
        usage = read_usage({"prompt_tokens": 60, "completion_tokens": 30}, request=question, bound=100)

        assert usage == Usage(input_tokens=60, output_tokens=30)

    @pytest.mark.parametrize(
        "wrong",
        [
            None,
            "many",
            {},
            {"prompt_tokens": 60},
            GOOD | {"prompt_tokens": -1},
            GOOD | {"prompt_tokens": 0},
            GOOD | {"prompt_tokens": True},
            GOOD | {"prompt_tokens": 60.5},
            GOOD | {"prompt_tokens": 10**9},
            GOOD | {"completion_tokens": 101},
            GOOD | {"prompt_tokens_details": {"cached_tokens": 61}},
            GOOD | {"completion_tokens_details": {"reasoning_tokens": 31}},
        ],
    )
    def test_takes_the_upper_bound_for_figures_that_cannot(self, question, wrong):
        usage = read_usage(wrong, request=question, bound=100)

        assert usage.reported is False
        assert usage.output_tokens == 100
        assert usage.input_tokens >= sum(len(each.content) for each in question.messages)


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
        assert failure(status=status, code=None, kind=None, headers={}).permanent is permanent

    @pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
    def test_knows_spent_money_from_a_rate_limit(self, code):
        error = failure(status=429, code=code, kind=None, headers={"retry-after": "1"})

        assert (error.reason, error.permanent, error.retry_after) == ("throttled", True, None)
