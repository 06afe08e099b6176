"""How long a tenant's data is kept."""

from django.core.validators import MaxValueValidator
from django.db import models


class Retention(models.Model):
    """A tenant's own times, where they differ from the deployment's settings. Empty: the settings hold. 0: for ever."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    event_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="What people did, from when it happened. 0: for ever."
    )
    ai_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="What AI answered about people; at most the deployment's AI_ANSWER_DAYS."
    )
    import_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Imports with their refused rows, from their end. 0: for ever."
    )
    import_file_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Imports' files, from their end. 0: they go at once."
    )
    answer_hours = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(24)],
        help_text="Answers of writes with an Idempotency-Key; a repetition after that is refused (410) for 24 hours.",
    )

    class Meta:
        verbose_name = "retention"
        verbose_name_plural = "retention"

    def __str__(self) -> str:
        return f"retention of {self.tenant_id}"
