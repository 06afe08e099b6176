"""The audit log: what staff did, one row for each object, never changed afterwards."""

from typing import ClassVar

from django.db import models


class AuditEntry(models.Model):
    """One action of an actor on an object, with the changed values, the reason and the address.

    There are no foreign key constraints: an entry outlives the objects that it mentions. The database refuses to
    change an entry, and refuses the app's role to delete one within 90 days (migration 0010).
    """

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    class Via(models.TextChoices):
        ADMIN = "admin", "Admin"
        COMMAND = "command", "Command line"

    at = models.DateTimeField()
    actor = models.CharField(
        "who", max_length=150, help_text="The user name; for a command, the system user who ran it."
    )
    actor_id = models.BigIntegerField(null=True, blank=True)
    via = models.CharField(max_length=7, choices=Via.choices)
    action = models.CharField(max_length=60)
    outcome = models.CharField(max_length=7, choices=Outcome.choices, default=Outcome.DONE)
    target_type = models.CharField("what", max_length=100, blank=True)
    target_id = models.CharField(max_length=100, blank=True)
    target = models.CharField("which", max_length=200, blank=True)
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+"
    )
    changes = models.JSONField(default=dict, blank=True, help_text="Each changed field, with its old and new value.")
    reason = models.CharField("why", max_length=500, blank=True)
    note = models.CharField(max_length=500, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        ordering: ClassVar = ["-id"]
        default_permissions: ClassVar = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["target_type", "target_id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}".strip()
