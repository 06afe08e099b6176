"""Budgets, reservations, ledger, cached answers and fallback statistics. Money is whole nano-dollars.

Budgets and reservations are counters: only `recommendations.ai.budget.reservations` writes them. Days and months end in
UTC.
"""

import uuid
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models


class AILimit(models.Model):
    """A tenant's own spending limits; empty fields use the deployment's settings."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    day_usd = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    month_usd = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    day_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    month_tokens = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "AI limit"

    def __str__(self) -> str:
        return f"AI limit of {self.tenant_id}"


class Period(models.TextChoices):
    """Period of a budget."""

    DAY = "day", "Day"
    MONTH = "month", "Month"


class BudgetCounters(models.Model):
    """Spending of a period, and reservations of calls in progress."""

    period = models.CharField(max_length=5, choices=Period.choices)
    starts_on = models.DateField()
    spent_tokens = models.BigIntegerField(default=0)
    reserved_tokens = models.BigIntegerField(default=0)
    spent_nano_usd = models.BigIntegerField(default=0)
    reserved_nano_usd = models.BigIntegerField(default=0)
    warned_at = models.DateTimeField(null=True, blank=True, help_text="Time of the soft alert.")
    exhausted_at = models.DateTimeField(null=True, blank=True, help_text="Time of the first rejected call.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.period} from {self.starts_on}"


class AIBudget(BudgetCounters):
    """A tenant's day or month."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        verbose_name = "AI budget"
        ordering: ClassVar = ["-starts_on", "tenant", "period"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "period", "starts_on"], name="one_ai_budget_per_period"),
            models.CheckConstraint(
                condition=models.Q(
                    spent_tokens__gte=0, reserved_tokens__gte=0, spent_nano_usd__gte=0, reserved_nano_usd__gte=0
                ),
                name="ai_budget_not_negative",
            ),
        ]


class AIGlobalBudget(BudgetCounters):
    """The deployment's month. It holds no tenant's data, so every scope may read it."""

    class Meta:
        verbose_name = "AI budget of the deployment"
        verbose_name_plural = "AI budgets of the deployment"
        ordering: ClassVar = ["-starts_on"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["period", "starts_on"], name="one_ai_global_budget_per_period"),
            models.CheckConstraint(
                condition=models.Q(
                    spent_tokens__gte=0, reserved_tokens__gte=0, spent_nano_usd__gte=0, reserved_nano_usd__gte=0
                ),
                name="ai_global_budget_not_negative",
            ),
        ]


class AIReservation(models.Model):
    """The maximum cost of a call in progress; an expired row was left by a process that died."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(help_text="The UTC day of its budgets.")
    tokens = models.BigIntegerField()
    nano_usd = models.BigIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "AI reservation"

    def __str__(self) -> str:
        return f"{self.tokens} tokens until {self.expires_at:%H:%M:%S}"


class AICall(models.Model):
    """The ledger: one row per request to the provider, with its cost."""

    class Outcome(models.TextChoices):
        OK = "ok", "Answered"
        INVALID = "invalid", "Invalid answer"
        TIMEOUT = "timeout", "Timed out"
        THROTTLED = "throttled", "Throttled by the vendor"
        ERROR = "error", "Failed"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(help_text="The UTC day of the budgets charged.")
    at = models.DateTimeField()
    build_id = models.BigIntegerField(null=True, blank=True)
    purpose = models.CharField(max_length=32)
    model = models.CharField(max_length=100)
    prompt_version = models.CharField(max_length=32, blank=True, default="")
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0, help_text="Part of the input.")
    output_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0, help_text="Part of the output.")
    usage_reported = models.BooleanField(default=True, help_text="No: the figures are upper bounds.")
    cost_nano_usd = models.BigIntegerField(default=0)
    latency_ms = models.PositiveIntegerField()
    detail = models.CharField(
        max_length=400, blank=True, default="", help_text="Reason of the failure, in the vendor's words if any."
    )
    simulated = models.BooleanField()

    class Meta:
        verbose_name = "AI call"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["tenant", "day"], name="ai_call_tenant_day")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.purpose} {self.outcome}"


class AIAnswer(models.Model):
    """A valid answer of the model, cached under the question's digest."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64)
    subject = models.CharField(max_length=64, help_text="Digest of the user's key, for erasure.")
    model = models.CharField(max_length=100)
    prompt_version = models.CharField(max_length=32)
    content = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "AI answer"
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "digest"], name="one_ai_answer_per_digest")]
        indexes: ClassVar = [models.Index(fields=["tenant", "subject"], name="ai_answer_subject")]

    def __str__(self) -> str:
        return self.digest[:12]


class AIFallbackStat(models.Model):
    """Lists of five minutes by AI outcome: meant for AI, fallback, or skipped, with the reason."""

    class Kind(models.TextChoices):
        MEANT = "meant", "Eligible for AI"
        FALLBACK = "fallback", "Eligible for AI, published without"
        SKIPPED = "skipped", "Not eligible for AI"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    slot = models.DateTimeField(help_text="Start of the five minutes.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reason = models.CharField(max_length=16, blank=True, default="")
    lists = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "AI fallback statistic"
        ordering: ClassVar = ["-slot", "tenant", "kind", "reason"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "slot", "kind", "reason"], name="one_ai_stat_per_slot")
        ]

    def __str__(self) -> str:
        return f"{self.slot:%Y-%m-%d %H:%M} {self.kind} {self.reason}"
