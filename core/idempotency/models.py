"""The keys under which writes were sent, and what they were answered."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.lookups import LessThanOrEqual

MAX_KEY = 255
MAX_BODY = 64 * 1024  # bytes


class OctetLength(models.Func):
    """The number of bytes of a bytea."""

    function = "OCTET_LENGTH"
    output_field = models.IntegerField()


class IdempotencyKey(models.Model):
    """One key of one client. Core knows no tenant model, so the tenant is a plain number; row-level security holds.

    `client_id` is whose the key is (`Principal.key_space`): a browser's token has its person's, not its client's.
    `token` names the run that holds the key, `locked_until` is when another may take it over. `status`, `headers` and
    `body` are the answer once the state is done; `read_scope` is what a token must carry to be shown it (empty: it
    holds no more than was sent). An erased answer named a person who was erased since.
    """

    class State(models.TextChoices):
        IN_FLIGHT = "in_flight"
        DONE = "done"
        ERASED = "erased"

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.BigIntegerField()
    client_id = models.CharField(max_length=64, db_collation="C")
    key = models.CharField(max_length=MAX_KEY, db_collation="C")
    fingerprint = models.BinaryField(max_length=32)
    state = models.CharField(max_length=9, choices=State.choices)
    token = models.UUIDField()
    locked_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)
    read_scope = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant_id", "client_id", "key"], name="idempotency_key_per_client"),
            models.CheckConstraint(
                condition=Q(state="done", status__isnull=False, body__isnull=False)
                | Q(state__in=["in_flight", "erased"], status__isnull=True, body__isnull=True),
                name="idempotency_answer_iff_done",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(OctetLength("body"), MAX_BODY), name="idempotency_body_at_most_64_kib"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="idempotency_by_expiry")]

    def __str__(self) -> str:
        return f"{self.key} ({self.state})"
