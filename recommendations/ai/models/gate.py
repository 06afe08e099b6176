"""The uplift gate: segments of users for which AI runs, by the last measurement."""

from typing import ClassVar

from django.db import models


class AIGate(models.Model):
    """Measurement of and decision about one segment of one placement."""

    class Segment(models.TextChoices):
        COLD = "cold", "Cold: no history"
        SPARSE = "sparse", "Sparse"
        REGULAR = "regular", "Regular"
        HEAVY = "heavy", "Heavy"

    class Why(models.TextChoices):
        WORTH = "worth", "Pays off, by its interval"
        SWITCHED_OFF = "switched_off", "It does not pay, as far as the interval is sure"
        UNSURE = "unsure", "Inconclusive interval: the configuration decides"
        TOO_FEW = "too_few", "Too few measurements: the configuration decides"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    placement = models.CharField(max_length=63)
    segment = models.CharField(max_length=8, choices=Segment.choices)
    open = models.BooleanField(null=True, help_text="Empty: the configuration decides.")
    why = models.CharField(max_length=12, choices=Why.choices)
    with_ai = models.PositiveBigIntegerField(default=0, help_text="Measured cases with AI.")
    control = models.PositiveBigIntegerField(default=0, help_text="Measured cases in the holdout.")
    uplift = models.FloatField(default=0.0, help_text="Additional successes per case, compared with the holdout.")
    uplift_low = models.FloatField(default=0.0, help_text="Lower end of its 95 % interval.")
    uplift_high = models.FloatField(default=0.0, help_text="Upper end of its 95 % interval.")
    per_usd = models.FloatField(null=True, blank=True, help_text="Additional successes per dollar.")
    cost_nano_usd = models.BigIntegerField(default=0)
    measured_at = models.DateTimeField()

    class Meta:
        verbose_name = "AI gate"
        ordering: ClassVar = ["tenant", "placement", "segment"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "placement", "segment"], name="one_ai_gate_per_segment")
        ]

    def __str__(self) -> str:
        return f"{self.placement} {self.segment}: {self.why}"
