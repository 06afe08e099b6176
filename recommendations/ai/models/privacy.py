"""A tenant's sharing consent, and the log of requests to the provider."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class AIRelease(models.Model):
    """A tenant's sharing consent. Without a row AI may run, and no attribute is sent."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    enabled = models.BooleanField(default=True, help_text="Off: no data of this tenant is sent.")
    item_attributes = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text="Names of item attributes that may be sent, comma-separated.",
    )
    person_attributes = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text="Names of user attributes that may be sent, comma-separated.",
    )

    class Meta:
        verbose_name = "AI release"

    def __str__(self) -> str:
        return f"AI release of {self.tenant_id}"


class AISent(models.Model):
    """The log of requests to the provider, redacted: which kinds of facts, how many and how long, and no text."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(db_index=True)
    origin = models.CharField(max_length=200, help_text="The provider.")
    model = models.CharField(max_length=100)
    purpose = models.CharField(max_length=32)
    prompt_version = models.CharField(max_length=32, blank=True, default="")
    subject = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of the user's key, for erasure."
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 of the messages, to compare with known texts.")
    size_bytes = models.PositiveIntegerField()
    contents = models.JSONField(default=dict, help_text="Number of facts by kind, and names of attributes.")

    class Meta:
        verbose_name = "AI request sent"
        verbose_name_plural = "AI requests sent"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["tenant", "subject"], name="ai_sent_subject")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.purpose}"
