"""Reads the settings that bound AI: the breaker's policy, the vendor's limits, budgets, prices, the gate.

An absent setting has the default given here or in the returned type, the same as in `config.settings`. Amounts and
shares may be strings.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from recommendations.ai.config.prices import BadPriceTable, PriceTable, operator_price, shipped_table
from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.money import NANO_PER_USD, BudgetLimit, BudgetLimits
from recommendations.ai.resilience.circuit_state import BreakerPolicy
from recommendations.ai.resilience.rate_limiter import RateLimits

REQUESTS_PER_MINUTE = 1000
TOKENS_PER_MINUTE = 2_000_000
CONCURRENCY = 16
SLOW_SHARE_OF_TIMEOUT = 0.75


def breaker_policy(settings: Any) -> BreakerPolicy:
    """Return the policy of ``AI_BREAKER_*``; a call is slow from three quarters of its time-out on.

    Raises:
        ImproperlyConfigured: a value is out of range.
    """
    fields = ("window_seconds", "minimum_calls", "failure_share", "slow_share", "throttled_share")
    names = (*fields, "slow_seconds", "open_seconds", "cap_seconds")
    given = {name: getattr(settings, f"AI_BREAKER_{name.upper()}", None) for name in names}
    if not given["slow_seconds"] and settings.AI_TIMEOUT_SECONDS > 0:
        given["slow_seconds"] = SLOW_SHARE_OF_TIMEOUT * settings.AI_TIMEOUT_SECONDS
    given |= {name: _share(name, given[name]) for name in ("failure_share", "slow_share", "throttled_share")}
    try:
        return BreakerPolicy(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise ImproperlyConfigured(f"AI_BREAKER_*: {error}") from error


def rate_limits(settings: Any) -> RateLimits:
    """Return the vendor's limits from ``AI_REQUESTS_PER_MINUTE``, ``AI_TOKENS_PER_MINUTE``, ``AI_CONCURRENCY``.

    Raises:
        ImproperlyConfigured: one is negative.
    """
    defaults = {
        "AI_REQUESTS_PER_MINUTE": REQUESTS_PER_MINUTE,
        "AI_TOKENS_PER_MINUTE": TOKENS_PER_MINUTE,
        "AI_CONCURRENCY": CONCURRENCY,
    }
    values = {name: getattr(settings, name, default) for name, default in defaults.items()}
    for name, value in values.items():
        if value < 0:
            raise ImproperlyConfigured(f"{name} is {value}; give 0 for no limit, or the vendor's")
    return RateLimits(
        requests_per_minute=values["AI_REQUESTS_PER_MINUTE"],
        tokens_per_minute=values["AI_TOKENS_PER_MINUTE"],
        concurrency=values["AI_CONCURRENCY"],
    )


def budget_limits(settings: Any) -> BudgetLimits:
    """Return the caps of ``AI_BUDGET_{TENANT_DAY,TENANT_MONTH,GLOBAL_MONTH}_{USD,TOKENS}``.

    Empty: the default (tokens are unlimited by default; money never is). 0 allows nothing.

    Raises:
        ImproperlyConfigured: a value is no amount.
    """
    defaults = BudgetLimits()
    return BudgetLimits(
        tenant_day=_limit(settings, "TENANT_DAY", defaults.tenant_day),
        tenant_month=_limit(settings, "TENANT_MONTH", defaults.tenant_month),
        global_month=_limit(settings, "GLOBAL_MONTH", defaults.global_month),
    )


def price_table(settings: Any) -> PriceTable:
    """Return the shipped prices, and for the configured model those of ``AI_PRICE_*`` where they are set.

    Raises:
        ImproperlyConfigured: a price cannot be read.
    """
    names = ("AI_PRICE_INPUT_USD", "AI_PRICE_CACHED_INPUT_USD", "AI_PRICE_OUTPUT_USD")
    fresh, cached, output = (str(getattr(settings, name, "") or "") for name in names)
    try:
        table = shipped_table()
        if not (fresh or cached or output):
            return table
        return table.with_override(
            operator_price(model=settings.OPENAI_MODEL, input_usd=fresh, cached_input_usd=cached, output_usd=output)
        )
    except BadPriceTable as error:
        raise ImproperlyConfigured(str(error)) from error


def uplift_policy(settings: Any) -> UpliftPolicy:
    """Return whom AI is for until something is measured, from ``AI_GATE_*``.

    Raises:
        ImproperlyConfigured: a segment is unknown or an amount is none.
    """
    default = UpliftPolicy()
    segments = getattr(settings, "AI_GATE_SEGMENTS", None)
    try:
        return UpliftPolicy(
            open_segments=default.open_segments if segments is None else frozenset(segments),
            explore_percent=getattr(settings, "AI_GATE_EXPLORE_PERCENT", default.explore_percent),
            minimum_cases=getattr(settings, "AI_GATE_MINIMUM_CASES", default.minimum_cases),
            minimum_per_usd=float(_amount(settings, "AI_GATE_MINIMUM_PER_USD") or 0),
        )
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from error


def _share(name: str, value: float | str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"AI_BREAKER_{name.upper()} is {value!r}; give a share above 0 and at most 1, such as 0.5"
        ) from None


def _limit(settings: Any, name: str, default: BudgetLimit) -> BudgetLimit:
    usd = _amount(settings, f"AI_BUDGET_{name}_USD")
    tokens = _amount(settings, f"AI_BUDGET_{name}_TOKENS")
    return BudgetLimit(
        nano_usd=default.nano_usd if usd is None else int(usd * NANO_PER_USD),
        tokens=default.tokens if tokens is None else int(tokens),
    )


def _amount(settings: Any, name: str) -> Decimal | None:
    raw = str(getattr(settings, name, "") if getattr(settings, name, None) is not None else "").strip()
    if not raw:
        return None
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ImproperlyConfigured(f"{name} is {raw!r}; give an amount such as 5.00, or 0 to allow nothing")
    return amount
