"""Monthly usage of tenants, as stored in Postgres."""

from django.db import models


class TenantUsage(models.Model):
    """A tenant's requests in one month (UTC). Redis counts; a job writes here every minute, and only upwards."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="usage")
    month = models.CharField(max_length=7, help_text="YYYY-MM")
    used = models.PositiveBigIntegerField(default=0, help_text="Up to a minute old.")

    class Meta:
        ordering = ["-month", "tenant"]
        verbose_name = "monthly usage"
        verbose_name_plural = "monthly usage"
        constraints = [models.UniqueConstraint(fields=["tenant", "month"], name="one_usage_per_tenant_and_month")]

    def __str__(self) -> str:
        return f"{self.month}: {self.used}"


class QuotaWarning(models.Model):
    """A tenant has used so many percent of a month's requests; given once (accounts.limits.quota_warnings)."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="quota_warnings")
    month = models.CharField(max_length=7, help_text="YYYY-MM")
    percent = models.PositiveSmallIntegerField()
    quota = models.PositiveBigIntegerField(help_text="The plan's monthly requests at that time.")
    used = models.PositiveBigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "month", "percent", "quota"], name="one_warning_per_tenant_month_percent_and_quota"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month}: {self.percent} %"
