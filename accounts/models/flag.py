"""Feature flags by tenant."""

from django.core.validators import MaxValueValidator
from django.db import models


class FeatureFlag(models.Model):
    """Share of a tenant's users for which a feature is on. No row means on for all."""

    class Name(models.TextChoices):
        RECOMMENDATIONS = "recommendations", "Personal recommendations"
        AI = "ai", "AI reranking and reasons"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="flags")
    name = models.CharField(max_length=32, choices=Name.choices)
    percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MaxValueValidator(100)],
        help_text="0 is off, 100 is on; in between, a stable share of users.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="one_flag_per_tenant_and_name"),
            models.CheckConstraint(condition=models.Q(percent__lte=100), name="flag_percent_at_most_100"),
        ]
        ordering = ["tenant", "name"]

    def __str__(self) -> str:
        return f"{self.name}: {self.percent} %"
