"""Interactions: what people did, append-only, one narrow row each (docs/adr/0004)."""

from typing import ClassVar

from django.db import models

from core import clock


class EventType(models.Model):
    """A tenant's word for a kind of event, and what one says. Rows refer to its number: four bytes, not a word."""

    class ValueAsStrength(models.TextChoices):
        AUTO = "auto", "Auto: as each training finds best"
        NONE = "none", "None: values do not matter"
        LOG = "log", "Log: more counts more, and less and less so"
        THRESHOLD = "threshold", "Threshold: below a person's usual value counts half"

    id = models.AutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=64, db_collation="C")
    weight = models.FloatField(
        null=True,
        blank=True,
        help_text="What one such event says: 1 as much as a view, 0 nothing, below 0 it speaks against the item. "
        "Empty: the default of its name, or 1 where the name has none.",
    )
    negative_below = models.FloatField(
        null=True, blank=True, help_text="Events with a lower value speak against the item, such as ratings below 3."
    )
    half_life_days = models.FloatField(
        null=True, blank=True, help_text="After so many days an event says half as much. Empty: it does not fade."
    )
    value_as_strength = models.CharField(
        max_length=9,
        choices=ValueAsStrength,
        default=ValueAsStrength.AUTO,
        db_default=ValueAsStrength.AUTO,
        help_text="How the values of these events (plays, seconds, stars) make them count more or less.",
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
    """One thing one person did with one item.

    `digest` is what makes the same event one event (`identity`): 128 bits over its person and its id, or over what it
    says.
    There are no foreign-key constraints on person and item: rows are only written by `record` and `imports`, which
    resolve both, and a check at each of 100 million inserts buys nothing.
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
    recommendation_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  # likewise
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
    """A note that an event names a recommendation, written with it; attribution takes it away when it is dealt with."""

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
