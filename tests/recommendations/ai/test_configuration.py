"""What an operator may set about AI, and what is refused with which words."""

from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured

from recommendations.ai.configuration import OPENAI_API, AIConfiguration
from recommendations.ai.factory import build_provider
from recommendations.ai.provider import NullProvider

UNSET = {
    "OPENAI_API_KEY": "",
    "OPENAI_BASE_URL": "",
    "OPENAI_MODEL": "",
    "AI_TIMEOUT_SECONDS": 10.0,
    "AI_MAX_OUTPUT_TOKENS": 1500,
    "AI_SIMULATED": False,
    "AI_CALLS_PER_BUILD": 100,
}


def _read(**changes) -> AIConfiguration:
    return AIConfiguration.from_settings(SimpleNamespace(**UNSET | changes))


class TestFromSettings:
    def test_reads_every_setting(self):
        config = _read(
            OPENAI_API_KEY="k",
            OPENAI_BASE_URL="http://ai.internal/v1",
            OPENAI_MODEL="m",
            AI_TIMEOUT_SECONDS=3.0,
            AI_MAX_OUTPUT_TOKENS=7,
            AI_SIMULATED=True,
            AI_CALLS_PER_BUILD=5,
            OPENAI_REASONING_EFFORT="low",
        )

        assert config == AIConfiguration(
            api_key="k",
            base_url="http://ai.internal/v1",
            model="m",
            timeout_seconds=3.0,
            max_output_tokens=7,
            reasoning_effort="low",
            simulated=True,
            calls_per_build=5,
        )

    def test_is_off_without_a_key(self):
        config = _read()

        assert not config.configured
        assert config.base_url == OPENAI_API
        assert isinstance(build_provider(config), NullProvider)

    def test_keeps_the_key_out_of_its_representation(self):
        assert "s3cret" not in repr(_read(OPENAI_API_KEY="s3cret", OPENAI_MODEL="m"))

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"AI_TIMEOUT_SECONDS": 0}, "AI_TIMEOUT_SECONDS"),
            ({"AI_MAX_OUTPUT_TOKENS": 0}, "AI_MAX_OUTPUT_TOKENS"),
            ({"AI_CALLS_PER_BUILD": -1}, "AI_CALLS_PER_BUILD"),
            ({"OPENAI_API_KEY": "k"}, "OPENAI_MODEL"),
            ({"OPENAI_BASE_URL": "ftp://x"}, "OPENAI_BASE_URL"),
            ({"OPENAI_BASE_URL": "api.openai.com/v1"}, "OPENAI_BASE_URL"),
            ({"AI_SIMULATED": True}, "AI_SIMULATED"),
        ],
    )
    def test_refuses_what_cannot_work_and_names_the_setting(self, changes, named):
        with pytest.raises(ImproperlyConfigured, match=named):
            _read(**changes)
