"""The catalogue: items and end users, under the tenant's own ids."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core import clock, external_ids


class Item(models.Model):
    """A catalogue entry. A deleted one stays as an empty, withdrawn row, so that histories keep their shape."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    item_id = models.CharField(max_length=128, db_collation="C")
    title = models.CharField(max_length=500, blank=True, default="")
    description = models.TextField(blank=True, default="")
    categories = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    hidden = models.BooleanField(default=False)
    available_from = models.DateTimeField(null=True, blank=True)
    available_until = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "item_id"], name="item_id_per_tenant")]
        # No index on categories: PostgreSQL cannot use one under row-level security, as `@>` is not leakproof.
        indexes: ClassVar = [models.Index(fields=["tenant", "updated_at", "id"], name="item_by_update")]
        ordering: ClassVar = ["tenant", "item_id"]

    def __str__(self) -> str:
        return self.title or external_ids.printable(self.item_id)


class EndUser(models.Model):
    """A user of a tenant, who gets recommendations. Staff are `accounts.User`.

    `last_event_at` is the arrival of the newest event (not its time); `dirty_at` is set while new events wait for the
    near-line rescore of the user's lists.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    user_id = models.CharField(max_length=128, db_collation="C")
    attributes = models.JSONField(default=dict, blank=True)
    segments = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    locale = models.CharField(max_length=16, blank=True, default="")
    last_event_at = models.DateTimeField(null=True, blank=True, editable=False)
    dirty_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "user_id"], name="user_id_per_tenant")]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "updated_at", "id"], name="end_user_by_update"),
            models.Index(
                fields=["tenant", "dirty_at"], name="end_user_waiting", condition=models.Q(dirty_at__isnull=False)
            ),
        ]
        ordering: ClassVar = ["tenant", "user_id"]

    def __str__(self) -> str:
        return external_ids.printable(self.user_id)
