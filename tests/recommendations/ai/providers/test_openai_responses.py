"""Usage figures and headers are read without trust."""

import pytest

from recommendations.ai.protocol import Usage
from recommendations.ai.providers.openai_responses import read_usage

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
