"""Import jobs and the rows they refused."""

from typing import ClassVar

from django.db import models

from core import clock


class Import(models.Model):
    """One file taken in, with its counts. State rows are the record of work: killed anywhere, it goes on behind `line`.

    waiting (spooled) -> running (chunk by chunk) -> done, failed or cancelled. From the command line there is no
    `file`, and nobody resumes it.
    """

    class Kind(models.TextChoices):
        ITEMS = "items", "Items"
        USERS = "users", "People"
        EVENTS = "events", "Events"

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON"
        JSON = "json", "JSON"

    OPEN: ClassVar = (Status.WAITING, Status.RUNNING)
    COUNTS: ClassVar = ("created", "updated", "unchanged", "duplicate", "rejected")

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    format = models.CharField(max_length=6, choices=Format.choices, blank=True, default="")
    reading = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="What was said of how the file is to be read.",
    )
    filename = models.CharField(max_length=255, blank=True)
    file = models.CharField(max_length=200, blank=True, default="", help_text="In the storage, as long as it is kept.")
    size_bytes = models.PositiveBigIntegerField(default=0)
    dry_run = models.BooleanField(default=False, help_text="Everything is checked and nothing is kept.")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.RUNNING)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    duplicate = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="Rows about nothing that is stored, by the preset."
    )
    mapping = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="What was said of what its columns mean.",
    )
    summary = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="Types and times of its events, fields that it emptied, what it left out.",
    )
    error = models.TextField(blank=True, default="")
    read_bytes = models.PositiveBigIntegerField(default=0)
    line = models.PositiveBigIntegerField(default=0, help_text="Up to here the file was taken in.")
    names_erased = models.BooleanField(default=False, help_text="Its file may name an erased person: it is not kept.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Until then a worker holds it.")
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun without getting on.")
    enqueued_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["tenant", "id"], name="import_open", condition=models.Q(status__in=["waiting", "running"])
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.filename}"


class ImportRowError(models.Model):
    """A refused row: where it stands and what was wrong with it."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="errors")
    line = models.PositiveBigIntegerField()
    field = models.CharField(max_length=64, blank=True, default="")
    code = models.CharField(max_length=32)
    detail = models.CharField(max_length=500)

    class Meta:
        ordering: ClassVar = ["job", "line"]

    def __str__(self) -> str:
        return f"line {self.line}: {self.detail}"
