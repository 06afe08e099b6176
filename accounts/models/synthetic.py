"""Outcomes of synthetic checks, for staff."""

from django.db import models


class SyntheticOutcome(models.Model):
    """One run of a check from one region (workers.synthetic), under the tenant that it called as."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=32)
    check_name = models.CharField("check", max_length=32)
    started_at = models.DateTimeField()
    seconds = models.FloatField(help_text="Duration.")
    ok = models.BooleanField("succeeded")
    error = models.CharField(max_length=500, blank=True, help_text="The step that failed, and the answer.")

    class Meta:
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "check_name", "started_at"], name="one_outcome_per_run_of_a_check"
            )
        ]
        indexes = [models.Index(fields=["started_at"], name="synthetic_outcome_time")]

    def __str__(self) -> str:
        return f"{self.region} {self.check_name} {self.started_at:%Y-%m-%d %H:%M:%S}"
