"""Webhook endpoints and deliveries. State rows are the record of work."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core import clock


class WebhookEndpoint(models.Model):
    """A tenant's URL that subscribes to types of events. Core has no tenant model, so the tenant is a plain number.

    Secrets are encrypted (core.webhooks.signatures); `previous_secret` signs as well until `previous_until`.
    """

    tenant_id = models.BigIntegerField()
    url = models.CharField("URL", max_length=500)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=64), help_text="Types of events that are sent.")
    active = models.BooleanField(default=True)
    secret = models.CharField(max_length=300, editable=False)
    previous_secret = models.CharField(max_length=300, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    stopped = models.CharField(
        max_length=200, blank=True, editable=False, help_text="Why the endpoint was disabled automatically."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = "webhook"
        ordering: ClassVar = ["tenant_id", "id"]
        indexes: ClassVar = [models.Index(fields=["tenant_id"], name="webhook_by_tenant")]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to one endpoint. `body` is signed and sent, the same bytes at each attempt."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Given up"

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.BigIntegerField()
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=40)
    type = models.CharField(max_length=64)
    body = models.TextField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True, help_text="Time of the next attempt.")
    log = models.JSONField(default=list, help_text="Each attempt: time, status or error, milliseconds.")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_message_once_per_endpoint")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="webhook_due", condition=models.Q(state="pending")),
            models.Index(fields=["created_at"], name="webhook_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"
