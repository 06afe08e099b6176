"""Settings of AI that an operator may choose, and the messages for those that are refused."""

from datetime import date
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from recommendations.ai.config import checks
from recommendations.ai.config.settings import OPENAI_API, AIConfiguration
from recommendations.ai.factory import build_gateway
from recommendations.ai.money import BudgetLimit
from recommendations.ai.resilience.circuit_state import BreakerPolicy
from recommendations.ai.resilience.rate_limiter import RateLimits

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


class TestStart:
    def test_refuses_a_model_without_a_price(self):
        config = _read(OPENAI_API_KEY="k", OPENAI_MODEL="llama")

        with pytest.raises(ImproperlyConfigured, match=r"'llama'.*AI_PRICE_INPUT_USD"):
            build_gateway(config, today=date(2026, 11, 23))

    @pytest.mark.parametrize(
        ("changes", "ids"),
        [
            ({}, []),
            ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "gpt-4.1-mini"}, []),
            ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "llama"}, [checks.NO_PRICE]),
            ({"AI_CONCURRENCY": -1}, [checks.BAD_CONFIGURATION]),
        ],
    )
    def test_checks_say_what_is_wrong(self, changes, ids):
        with override_settings(**UNSET | changes):
            assert [each.id for each in checks.check_ai_configuration()] == ids


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
            breaker=BreakerPolicy(slow_seconds=2.25),
            limits=RateLimits(requests_per_minute=1000, tokens_per_minute=2_000_000, concurrency=16),
        )

    def test_reads_the_bounds(self):
        config = _read(
            OPENAI_MODEL="llama",
            AI_REQUESTS_PER_MINUTE=0,
            AI_TOKENS_PER_MINUTE=7,
            AI_CONCURRENCY=2,
            AI_BREAKER_MINIMUM_CALLS=9,
            AI_BUDGET_TENANT_DAY_USD="0.25",
            AI_BUDGET_TENANT_MONTH_TOKENS="1000",
            AI_BUDGET_GLOBAL_MONTH_USD=0,
            AI_PRICE_INPUT_USD="0.1",
            AI_PRICE_OUTPUT_USD="0.2",
        )

        assert config.limits == RateLimits(requests_per_minute=0, tokens_per_minute=7, concurrency=2)
        assert config.breaker.minimum_calls == 9
        assert config.budget.tenant_day == BudgetLimit(nano_usd=250_000_000)
        assert config.budget.tenant_month == BudgetLimit(nano_usd=50 * 10**9, tokens=1000)
        assert config.budget.global_month == BudgetLimit(nano_usd=0)
        assert config.prices.price("llama", on=date(2026, 11, 23)).output == 200

    def test_has_the_same_defaults_in_the_environments_readers(self):
        assert AIConfiguration.from_settings(settings) == _read(
            **{name: getattr(settings, name) for name in (*UNSET, "OPENAI_REASONING_EFFORT", "AI_CONTROL_PERCENT")}
        )

    def test_reads_texts_as_the_environment_gives_them(self):
        config = _read(AI_BREAKER_SLOW_SHARE="0.25", AI_BREAKER_SLOW_SECONDS=0.0, AI_BUDGET_TENANT_DAY_TOKENS="")

        assert config.breaker == BreakerPolicy(slow_share=0.25, slow_seconds=7.5)
        assert config.budget.tenant_day == BudgetLimit(nano_usd=5 * 10**9)

    def test_is_off_without_a_key(self):
        config = _read()

        assert not config.configured
        assert config.base_url == OPENAI_API
        assert not build_gateway(config, today=date(2026, 11, 23)).configured

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
            ({"AI_CONCURRENCY": -1}, "AI_CONCURRENCY"),
            ({"AI_LEDGER_DAYS": 30}, "AI_LEDGER_DAYS"),
            ({"AI_BREAKER_FAILURE_SHARE": 2}, "failure_share"),
            ({"AI_BREAKER_SLOW_SHARE": "most"}, "AI_BREAKER_SLOW_SHARE"),
            ({"AI_BUDGET_TENANT_DAY_USD": "lots"}, "AI_BUDGET_TENANT_DAY_USD"),
            ({"AI_BUDGET_GLOBAL_MONTH_TOKENS": -1}, "AI_BUDGET_GLOBAL_MONTH_TOKENS"),
            ({"AI_PRICE_INPUT_USD": "1"}, "AI_PRICE_OUTPUT_USD"),
        ],
    )
    def test_refuses_what_cannot_work_and_names_the_setting(self, changes, named):
        with pytest.raises(ImproperlyConfigured, match=named):
            _read(**changes)
