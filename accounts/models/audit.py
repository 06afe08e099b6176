"""The audit log: what staff did, one row for each object, never changed afterwards."""

from typing import ClassVar

from django.db import models


class AuditEntry(models.Model):
    """Who did what to what, from what to what, why, and from where.

    Nothing here refers to other rows by a constraint: an entry outlives whatever it tells of. The database refuses to
    change one, and the app's role to delete one that is younger than 90 days (migration 0010).
    """

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    class Via(models.TextChoices):
        ADMIN = "admin", "Admin"
        COMMAND = "command", "Command line"

    at = models.DateTimeField()
    actor = models.CharField("who", max_length=150, help_text="The name they log in with; of a command, who ran it.")
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
    changes = models.JSONField(default=dict, blank=True, help_text="Each field that changed, from what and to what.")
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
