"""Interactions: append-only, one narrow row each (docs/adr/0004)."""

from typing import ClassVar

from django.db import models

from core import clock


class EventType(models.Model):
    """A tenant's type of events, and its weight. Interactions refer to its key: four bytes instead of a word."""

    class ValueAsStrength(models.TextChoices):
        AUTO = "auto", "Auto: chosen by each training"
        NONE = "none", "None: ignore values"
        LOG = "log", "Log: more counts more, with diminishing returns"
        THRESHOLD = "threshold", "Threshold: values below the user's median count half"

    id = models.AutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=64, db_collation="C")
    weight = models.FloatField(
        null=True,
        blank=True,
        help_text="Weight of one event: 1 like a view, 0 to ignore it, negative to count against the item. "
        "Empty: the default for this name, or 1.",
    )
    negative_below = models.FloatField(
        null=True, blank=True, help_text="Events with a lower value count against the item, such as ratings below 3."
    )
    half_life_days = models.FloatField(
        null=True, blank=True, help_text="Days after which an event counts half. Empty: no decay."
    )
    value_as_strength = models.CharField(
        max_length=9,
        choices=ValueAsStrength,
        default=ValueAsStrength.AUTO,
        db_default=ValueAsStrength.AUTO,
        help_text="How values (plays, seconds, stars) scale the weight of events.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "name"], name="event_type_per_tenant"),
            models.CheckConstraint(
                condition=models.Q(half_life_days__isnull=True) | models.Q(half_life_days__gt=0),
                name="event_type_half_life_positive",
            ),
        ]
        ordering: ClassVar = ["tenant", "name"]

    def __str__(self) -> str:
        return self.name


class Interaction(models.Model):
    """One event: a user did something with an item.

    `digest` identifies the event (`identity`): 128 bits of its user and event id, or of its content. User and item have
    no foreign-key constraints: rows are only written by `ingest`, which resolves both, and a check for each of 100
    million inserts would gain nothing.
    """

    id = models.BigAutoField(primary_key=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=clock.now)
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    end_user = models.ForeignKey(
        "recommendations.EndUser", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    item = models.ForeignKey(
        "recommendations.Item", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    digest = models.UUIDField(editable=False)
    type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    value = models.FloatField(null=True, blank=True)
    event_id = models.CharField(max_length=128, null=True, blank=True)  # noqa: DJ001  # null costs no byte
    recommendation_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  # null costs no byte
    context = models.JSONField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "digest"], name="event_once_per_tenant")]
        indexes: ClassVar = [
            models.Index(fields=["end_user", "occurred_at", "id"], name="interaction_history"),
            models.Index(fields=["tenant", "occurred_at", "id"], name="interaction_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.end_user_id} {self.type_id} {self.item_id}"


class Feedback(models.Model):
    """An event that names a recommendation and waits for attribution, which deletes the row."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    interaction_id = models.BigIntegerField()
    noted_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name_plural = "feedback"
        indexes: ClassVar = [models.Index(fields=["tenant", "due_at", "id"], name="feedback_due")]

    def __str__(self) -> str:
        return f"#{self.interaction_id}"
