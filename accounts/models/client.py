"""API clients: a tenant's machine credentials."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core import clock


class ApiClient(models.Model):
    """OAuth client credentials. The secret is random and 256 bits long, so a plain SHA-256 of it is kept."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="clients")
    name = models.CharField(max_length=100)
    client_id = models.CharField(max_length=40, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    previous_secret_hash = models.CharField(max_length=64, blank=True, editable=False)
    previous_secret_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The previous secret works until then."
    )
    scopes = ArrayField(models.CharField(max_length=40), help_text="Scopes of its tokens, separated by commas.")
    active = models.BooleanField(default=True, help_text="A deactivated client is rejected within 5 seconds.")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering: ClassVar = ["tenant", "name"]
        verbose_name = "API client"

    def __str__(self) -> str:
        return f"{self.name} ({self.client_id})"
