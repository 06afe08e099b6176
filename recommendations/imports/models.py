"""Import jobs and rejected rows."""

from typing import ClassVar

from django.db import models

from core import clock


class Import(models.Model):
    """The import of one file, with its counts. The row records its progress: after a crash it continues after `line`.

    waiting (spooled) -> running (chunk by chunk) -> done, failed or cancelled. Imports of the command line have no
    `file` and are not resumed. `unmarked_from` is the first id of the interactions whose users are not marked for a
    rescore yet.
    """

    class Kind(models.TextChoices):
        ITEMS = "items", "Items"
        USERS = "users", "Users"
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
        help_text="Options for reading the file.",
    )
    filename = models.CharField(max_length=255, blank=True)
    file = models.CharField(
        max_length=200, blank=True, default="", help_text="Name in the storage, until it is deleted."
    )
    size_bytes = models.PositiveBigIntegerField(default=0)
    dry_run = models.BooleanField(default=False, help_text="Everything is checked and nothing is stored.")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.RUNNING)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    duplicate = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(default=0, db_default=0, help_text="Rows skipped by the preset.")
    mapping = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="Mapping of columns to fields.",
    )
    summary = models.JSONField(
        blank=True,
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="Types and times of events, cleared fields, omitted attributes.",
    )
    error = models.TextField(blank=True, default="")
    read_bytes = models.PositiveBigIntegerField(default=0)
    line = models.PositiveBigIntegerField(default=0, help_text="Last imported line.")
    unmarked_from = models.PositiveBigIntegerField(null=True, blank=True, editable=False)
    names_erased = models.BooleanField(
        default=False, help_text="The file may name an erased user and must not be retained."
    )
    lease_until = models.DateTimeField(null=True, blank=True, help_text="End of the worker's lease.")
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Attempts without progress.")
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
    """A rejected row: its line and an error."""

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
