"""Serializers of usage."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.limits.usage import UsageStatus
from accounts.models import Plan
from recommendations.ai.budget.reports import CapUsage
from recommendations.ai.money import NANO_PER_USD
from recommendations.api.v1.base import stamp

QUOTA_POLICIES = Plan.OnQuota.values
_PERIODS = {"tenant_day": "day", "tenant_month": "month"}


@extend_schema_serializer(component_name="RateLimit")
class RateAnswer(serializers.Serializer[Any]):
    """Requests of one class; null is unlimited."""

    per_minute = serializers.IntegerField(allow_null=True)
    burst = serializers.IntegerField(allow_null=True, help_text="Requests at once")


@extend_schema_serializer(component_name="PlanLimits")
class PlanAnswer(serializers.Serializer[Any]):
    """The plan's limits."""

    name = serializers.CharField()
    read = RateAnswer()
    write = RateAnswer()
    on_quota = serializers.ChoiceField(QUOTA_POLICIES)


@extend_schema_serializer(component_name="QuotaWarning")
class WarningAnswer(serializers.Serializer[Any]):
    """A recorded warning."""

    percent = serializers.IntegerField()
    at = serializers.DateTimeField()


@extend_schema_serializer(component_name="QuotaUsage")
class QuotaAnswer(serializers.Serializer[Any]):
    """The month's requests (UTC)."""

    month = serializers.CharField(help_text="YYYY-MM")
    limit = serializers.IntegerField(allow_null=True, help_text="null: unlimited")
    used = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField()
    warnings = WarningAnswer(many=True)


@extend_schema_serializer(component_name="AISpending")
class SpentAnswer(serializers.Serializer[Any]):
    """AI in one period (UTC). `reserved` is the maximum cost of calls in progress; null is unlimited."""

    starts_on = serializers.DateField()
    limit_usd = serializers.FloatField(allow_null=True)
    spent_usd = serializers.FloatField()
    reserved_usd = serializers.FloatField()
    left_usd = serializers.FloatField(allow_null=True)
    limit_tokens = serializers.IntegerField(allow_null=True)
    spent_tokens = serializers.IntegerField()
    reserved_tokens = serializers.IntegerField()
    left_tokens = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(component_name="AIUsage")
class AIAnswer(serializers.Serializer[Any]):
    """AI budget and spend."""

    day = SpentAnswer()
    month = SpentAnswer()


@extend_schema_serializer(component_name="Usage")
class UsageAnswer(serializers.Serializer[Any]):
    """The plan, its usage and remaining limits."""

    plan = PlanAnswer()
    quota = QuotaAnswer()
    ai = AIAnswer()


def body(status: UsageStatus, spent: Sequence[CapUsage]) -> dict[str, Any]:
    """Usage as the API shows it."""
    plan = status.plan
    return {
        "plan": {
            "name": plan.name,
            "read": {"per_minute": plan.read_per_minute, "burst": _burst(plan.read_per_minute, plan.read_burst)},
            "write": {"per_minute": plan.write_per_minute, "burst": _burst(plan.write_per_minute, plan.write_burst)},
            "on_quota": plan.on_quota,
        },
        "quota": {
            "month": status.month.name,
            "limit": plan.requests_per_month,
            "used": status.used,
            "left": status.left,
            "resets_at": stamp(datetime.fromtimestamp(status.month.end, UTC)),
            "warnings": [{"percent": each.percent, "at": stamp(each.at)} for each in status.warnings],
        },
        "ai": {_PERIODS[each.cap]: _spent(each) for each in spent if each.cap in _PERIODS},
    }


def _burst(per_minute: int | None, burst: int | None) -> int | None:
    """The effective burst (Plan.limits): at most one minute's worth, which is also the default."""
    return None if per_minute is None else min(burst or per_minute, per_minute)


def _spent(standing: CapUsage) -> dict[str, Any]:
    limit, spent, reserved = standing.limit, standing.spent, standing.reserved
    return {
        "starts_on": standing.starts_on.isoformat(),
        "limit_usd": _usd(limit.nano_usd),
        "spent_usd": _usd(spent.nano_usd),
        "reserved_usd": _usd(reserved.nano_usd),
        "left_usd": _usd(_left(limit.nano_usd, spent.nano_usd + reserved.nano_usd)),
        "limit_tokens": limit.tokens,
        "spent_tokens": spent.tokens,
        "reserved_tokens": reserved.tokens,
        "left_tokens": _left(limit.tokens, spent.tokens + reserved.tokens),
    }


def _left(limit: int | None, taken: int) -> int | None:
    return None if limit is None else max(0, limit - taken)


def _usd(nano_usd: int | None) -> float | None:
    return None if nano_usd is None else nano_usd / NANO_PER_USD


_DAY = {
    "starts_on": "2026-11-23",
    "limit_usd": 5.0,
    "spent_usd": 0.4125,
    "reserved_usd": 0.0,
    "left_usd": 4.5875,
    "limit_tokens": None,
    "spent_tokens": 181_204,
    "reserved_tokens": 0,
    "left_tokens": None,
}
EXAMPLE = OpenApiExample(
    "Four fifths of the month's requests are used",
    value={
        "plan": {
            "name": "Standard",
            "read": {"per_minute": 6000, "burst": 600},
            "write": {"per_minute": 1200, "burst": 200},
            "on_quota": "reject",
        },
        "quota": {
            "month": "2026-11",
            "limit": 1_000_000,
            "used": 803_112,
            "left": 196_888,
            "resets_at": "2026-12-01T00:00:00Z",
            "warnings": [{"percent": 80, "at": "2026-11-23T08:31:00Z"}],
        },
        "ai": {
            "day": _DAY,
            "month": {
                **_DAY,
                "starts_on": "2026-11-01",
                "limit_usd": 50.0,
                "spent_usd": 7.5,
                "left_usd": 42.5,
                "spent_tokens": 3_300_120,
            },
        },
    },
    response_only=True,
)
