"""Retention periods of a tenant."""

from django.core.validators import MaxValueValidator
from django.db import models


class Retention(models.Model):
    """A tenant's own retention periods. Empty: the deployment's settings apply. 0: for ever."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    event_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Events, counted from when they happened. 0: for ever."
    )
    ai_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="AI responses about users; at most the deployment's AI_ANSWER_DAYS."
    )
    import_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Imports with their rejected rows, counted from their end. 0: for ever."
    )
    import_file_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Import files, counted from the import's end. 0: deleted at once."
    )
    answer_hours = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(24)],
        help_text="Stored answers of writes with an Idempotency-Key; a repeated request then gets 410 for 24 hours.",
    )

    class Meta:
        verbose_name = "retention"
        verbose_name_plural = "retention"

    def __str__(self) -> str:
        return f"retention of {self.tenant_id}"
