"""Tokens and money: what a call comes to, and what a period may hold."""

from dataclasses import dataclass

NANO_PER_USD = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Tokens (in and out together) and what they cost."""

    tokens: int = 0
    nano_usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimit:
    """The most that one period may hold; None is no limit, 0 allows nothing."""

    tokens: int | None = None
    nano_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """The limits of the deployment's settings."""

    tenant_day: BudgetLimit = BudgetLimit(nano_usd=5 * NANO_PER_USD)
    tenant_month: BudgetLimit = BudgetLimit(nano_usd=50 * NANO_PER_USD)
    global_month: BudgetLimit = BudgetLimit(nano_usd=200 * NANO_PER_USD)
