"""Erasures, and former ids of merged users."""

import uuid
from typing import ClassVar

from django.db import models


class Erasure(models.Model):
    """An erased user, known by a keyed digest. The receipt identifies the row."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="HMAC-SHA256 of tenant and id under ERASURE_KEY.")
    key = models.CharField(max_length=16, help_text="Id of the key that made the digest.")
    erased_at = models.DateTimeField()
    receipt = models.UUIDField(default=uuid.uuid4)
    rows = models.JSONField(default=dict, help_text="Erased rows by kind.")
    copied_at = models.DateTimeField(null=True, blank=True, help_text="Time of the copy in the storage.")
    repeated_at = models.DateTimeField(null=True, blank=True, help_text="Time of the last repeated erasure.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "digest", "erased_at"], name="one_erasure_at_a_time")
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant"], name="erasure_uncopied", condition=models.Q(copied_at__isnull=True))
        ]
        ordering: ClassVar = ["-erased_at", "-id"]

    def __str__(self) -> str:
        return f"{self.erased_at:%Y-%m-%d %H:%M:%S} {self.digest[:8]}"


class FormerId(models.Model):
    """The digest of an id that was merged into a user, and is erased with them."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    end_user = models.ForeignKey("recommendations.EndUser", on_delete=models.CASCADE, related_name="former_ids")
    digest = models.CharField(max_length=64)
    merged_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "end_user", "digest"], name="former_id_once")
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "digest"], name="former_id_by_digest")]
        ordering: ClassVar = ["merged_at", "id"]

    def __str__(self) -> str:
        return self.digest[:8]
