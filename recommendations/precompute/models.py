"""Builds and what they leave: artefacts, chunks of work, lists. State rows are the record of work."""

from typing import ClassVar

from django.db import models

from core import clock


class Artefact(models.Model):
    """What one training left in the storage, and how it was chosen."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    file = models.CharField(max_length=200)
    items = models.PositiveIntegerField()
    people = models.PositiveIntegerField()
    interactions = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    chosen = models.JSONField(default=dict, help_text="Hyper-parameters and weights, chosen on the validation fold.")
    train_seconds = models.FloatField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Build(models.Model):
    """One run of the pipeline for a tenant. Killed anywhere, it resumes where its rows say."""

    class Status(models.TextChoices):
        TRAINING = "training", "Training"
        SCORING = "scoring", "Scoring"
        PUBLISHING = "publishing", "Publishing"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TRAINING)
    reason = models.CharField(max_length=64, help_text="Why it was started.")
    error = models.TextField(blank=True, default="")
    cutoff = models.DateTimeField(help_text="Events that arrived later may not be in it.")
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Until then a worker holds this step.")
    attempts = models.PositiveSmallIntegerField(default=0)
    ai_calls = models.PositiveIntegerField(default=0)
    ai_calls_limit = models.PositiveIntegerField(default=0)
    ai_simulated = models.BooleanField(default=False)
    started_at = models.DateTimeField(default=clock.now)
    trained_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)

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
    """A range of people of a build, scored by one worker at a time and to effect once."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    first_user = models.BigIntegerField()
    last_user = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lists = models.PositiveIntegerField(default=0)
    outcomes = models.JSONField(default=dict, help_text="Lists by source, and AI fallbacks and skips by reason.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "number"], name="chunk_number_per_build")]
        ordering: ClassVar = ["build", "number"]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.number}"


class UserList(models.Model):
    """One person's list at one placement in one build; `body` is the stored form (docs/adr/0005)."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    placement = models.ForeignKey(
        "recommendations.Placement", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    end_user = models.ForeignKey("recommendations.EndUser", on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField(default=1)
    source = models.CharField(max_length=8)
    body = models.BinaryField()
    generated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "placement", "end_user"], name="one_list_per_person_and_build")
        ]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.end_user_id}"


class ReferenceList(models.Model):
    """A list that belongs to no person: neighbours of an item (`similar`), or `popular`, in one build."""

    class Kind(models.TextChoices):
        SIMILAR = "similar", "Similar items"
        POPULAR = "popular", "Popular"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    subject = models.CharField(max_length=128, blank=True, default="", db_collation="C")
    body = models.BinaryField()
    generated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "kind", "subject"], name="one_reference_list_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.build_id}/{self.kind}/{self.subject}"
