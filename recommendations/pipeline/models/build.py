"""Builds and their chunks: the state rows are the record of work."""

from typing import ClassVar

from django.db import models

from core import clock
from recommendations.pipeline.models.artefact import Artefact


class Build(models.Model):
    """One run of the pipeline for a tenant. Killed anywhere, it resumes from its rows.

    training -> scoring (the chunks) -> publishing (the pointer is updated, then Redis) -> published; or failed.
    """

    class Status(models.TextChoices):
        TRAINING = "training", "Training"
        SCORING = "scoring", "Scoring"
        PUBLISHING = "publishing", "Publishing"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"

    RUNNING: ClassVar = (Status.TRAINING, Status.SCORING, Status.PUBLISHING)

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TRAINING)
    reason = models.CharField(max_length=64, help_text="Reason for starting it.")
    error = models.TextField(blank=True, default="", help_text="Last error.")
    cutoff = models.DateTimeField(help_text="Events that arrived later may be missing in the training.")
    artefact = models.ForeignKey(
        Artefact,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Artefact of its lists; set from the start for a build without training.",
    )
    versions = models.JSONField(
        default=dict, editable=False, help_text="Version of the rules by placement; null is none."
    )
    gated = models.BooleanField(default=True, help_text="Apply the quality gate to the new artefact.")
    validation = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        help_text="Requested validation fold; empty: the tenant's setting.",
    )
    notes = models.TextField(blank=True, default="", help_text="Notes for staff.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="End of the worker's lease on this step.")
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Attempts at this step.")
    enqueued_at = models.DateTimeField(null=True, blank=True, help_text="Time of the last enqueueing.")
    people = models.PositiveIntegerField(default=0, help_text="Number of end users with lists.")
    outcomes = models.JSONField(default=dict, help_text="Lists by source, and AI fallbacks and skips by reason.")
    ai_calls = models.PositiveIntegerField(default=0)
    ai_calls_limit = models.PositiveIntegerField(default=0)
    ai_simulated = models.BooleanField(default=False)
    asks_later = models.BooleanField(
        default=False, db_default=False, help_text="Uses the vendor's batch API; a build with the answers follows."
    )
    started_at = models.DateTimeField(default=clock.now)
    trained_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="Time at which its lists became active.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(status__in=["training", "scoring", "publishing"]),
                name="one_running_build_per_tenant",
            )
        ]
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.status}"


class Chunk(models.Model):
    """A part of a build's work, done by one worker at a time and with one effect.

    `people`: the lists of end users with primary keys in first..last. `similar`: the lists of the artefact's items
    first..last. `popular`: the shared lists. `semantic`: similar items, by embeddings, for items without interactions.
    """

    class Kind(models.TextChoices):
        PEOPLE = "people", "Users' lists"
        SIMILAR = "similar", "Similar items"
        POPULAR = "popular", "Popular items"
        SEMANTIC = "semantic", "Similar items by text embeddings"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PEOPLE)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lists = models.PositiveIntegerField(default=0)
    outcomes = models.JSONField(default=dict, help_text="Lists by source, and AI fallbacks and skips by reason.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "number"], name="chunk_number_per_build")]
        indexes: ClassVar = [
            models.Index(fields=["build", "number"], name="chunk_pending", condition=models.Q(status="pending"))
        ]
        ordering: ClassVar = ["build", "number"]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.number}"
