"""Questions queued for the vendor's batch interface, and the batches that they are sent in."""

import uuid
from typing import ClassVar

from django.db import models


class AIBatch(models.Model):
    """Questions of one tenant, sent together at the batch price.

    waiting -> submitted -> done. Whatever happens, it ends: with answers, or without (`result` says why).
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting to be submitted"
        SUBMITTED = "submitted", "Submitted"
        DONE = "done", "Done"

    class Result(models.TextChoices):
        ANSWERED = "answered", "Answered"
        PARTLY = "partly", "Partly answered"
        BUDGET = "budget", "No budget"
        EXPIRED = "expired", "Not answered in time"
        FAILED = "failed", "Failed"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.UUIDField(default=uuid.uuid4, unique=True, help_text="Identifies the vendor's batch.")
    build_id = models.BigIntegerField(help_text="The build of its lists.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    result = models.CharField(max_length=8, choices=Result.choices, blank=True, default="")
    model = models.CharField(max_length=100)
    vendor_id = models.CharField(max_length=100, blank=True, default="")
    questions = models.PositiveIntegerField()
    answers = models.PositiveIntegerField(default=0)
    reservation = models.UUIDField(null=True, blank=True, editable=False)
    day = models.DateField(null=True, blank=True, help_text="The UTC day of the budgets that hold its reservation.")
    reserved_tokens = models.BigIntegerField(default=0)
    reserved_nano_usd = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Attempts to submit it.")
    error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(help_text="Time at which it ends with the answers so far.")
    next_at = models.DateTimeField(help_text="Time of the next check.")
    ended_at = models.DateTimeField(null=True, blank=True)
    followed_at = models.DateTimeField(null=True, blank=True, help_text="Start of the build with its answers.")

    class Meta:
        verbose_name = "AI batch"
        verbose_name_plural = "AI batches"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="ai_batch_due", condition=~models.Q(state="done")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.state}"


class AIBatchQuestion(models.Model):
    """One question; deleted when its batch ends or the user is erased."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    batch = models.ForeignKey(AIBatch, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    build_id = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    subject = models.CharField(max_length=64)
    request = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "AI batch question"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "digest"], name="one_ai_batch_question_per_digest")
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "subject"], name="ai_batch_question_subject")]

    def __str__(self) -> str:
        return self.digest[:12]
