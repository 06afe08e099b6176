"""Alerts of a cap that is nearly or wholly spent: to the tenant by webhook, to staff by log and metric.

Staff are paged by the alert `AIBudgetExhausted` (config/alerts.toml). Another way of telling them is one more function
in STAFF_HOOKS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import structlog

from core.webhooks.publish import emit
from recommendations.ai.budget.caps import CapName
from recommendations.ai.metrics import AI_BUDGET_ALERTS
from recommendations.ai.money import NANO_PER_USD, Amount, BudgetLimit

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A cap reached 80 % (soft) or is exhausted (hard); raised once per period."""

    level: Literal["soft", "hard"]
    cap: CapName
    tenant_id: int | None
    starts_on: date
    spent: Amount
    limit: BudgetLimit


def publish_alert(alert: BudgetAlert, *, now: datetime) -> None:
    """Publish a tenant's alert to its webhooks, in the transaction that records the alert."""
    if alert.tenant_id is None:
        return
    data = {
        "budget": alert.cap,
        "starts_on": alert.starts_on.isoformat(),
        "spent": {"tokens": alert.spent.tokens, "usd": alert.spent.nano_usd / NANO_PER_USD},
        "limit": {
            "tokens": alert.limit.tokens,
            "usd": None if alert.limit.nano_usd is None else alert.limit.nano_usd / NANO_PER_USD,
        },
    }
    kind = "budget.warning" if alert.level == "soft" else "budget.exhausted"
    emit(tenant_id=alert.tenant_id, type=kind, data=data, now=now)


def count_alert(alert: BudgetAlert) -> None:
    """Count a budget alert."""
    AI_BUDGET_ALERTS.labels(alert.level, alert.cap).inc()


def log_alert(alert: BudgetAlert) -> None:
    """Log a budget alert."""
    _log.warning(
        "ai_budget",
        level=alert.level,
        cap=alert.cap,
        tenant_id=alert.tenant_id,
        starts_on=str(alert.starts_on),
        spent_tokens=alert.spent.tokens,
        spent_usd=alert.spent.nano_usd / NANO_PER_USD,
        limit_tokens=alert.limit.tokens,
        limit_usd=None if alert.limit.nano_usd is None else alert.limit.nano_usd / NANO_PER_USD,
    )


STAFF_HOOKS: Sequence[Callable[[BudgetAlert], None]] = (log_alert, count_alert)
