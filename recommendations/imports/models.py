"""Import jobs and the rows they refused."""

from typing import ClassVar

from django.db import models

from core import clock


class Import(models.Model):
    """One file taken in, with its counts."""

    class Kind(models.TextChoices):
        ITEMS = "items", "Items"
        USERS = "users", "People"
        EVENTS = "events", "Events"

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    filename = models.CharField(max_length=255)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    duplicate = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

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
