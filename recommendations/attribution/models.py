"""Impressions, as long as clicks can refer to them, and daily counts that name no user."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Impression(models.Model):
    """A page (its recommendation id) that was shown to a person at least once within one hour.

    Clicks and conversions need it, and estimates of what other lists would bring; it goes when no window reaches back
    to it. `end_user` is null for lists of no person and for people who were unknown when the page was served. `page` is
    what is kept of it (recommendations.attribution.served_pages), `clicked` the items of it that were clicked.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    recommendation_id = models.CharField(max_length=64, db_collation="C")
    end_user = models.ForeignKey(
        "recommendations.EndUser", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    hour = models.DateTimeField(help_text="Start of the hour.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    placement = models.CharField(max_length=64)
    arm = models.CharField(max_length=16, blank=True)
    source = models.CharField(max_length=8)
    page = models.BinaryField(null=True, blank=True)
    clicked = ArrayField(models.CharField(max_length=128), default=list, db_default=[], blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "recommendation_id", "end_user", "hour"],
                nulls_distinct=False,
                name="one_impression_per_page_person_hour",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "last_at"], name="impression_by_age")]

    def __str__(self) -> str:
        return f"{self.recommendation_id} {self.hour:%Y-%m-%d %H}h"


class ImpressionBatch(models.Model):
    """A batch of the stream that has been written. What is delivered again is recognised by it."""

    id = models.UUIDField(primary_key=True)
    stored_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.pk)


class PlacementStat(models.Model):
    """A day's counts (UTC) by placement, arm and source. Clicks and conversions count on the day they happened."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    placement = models.CharField(max_length=64, db_collation="C", help_text="@kind for lists without a placement.")
    arm = models.CharField(max_length=16, blank=True, db_collation="C")
    source = models.CharField(max_length=8, db_collation="C")
    impressions = models.PositiveBigIntegerField(default=0)
    items_shown = models.PositiveBigIntegerField(default=0)
    clicks = models.PositiveBigIntegerField(default=0)
    conversions = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "placement statistic"
        ordering: ClassVar = ["-day", "placement", "arm", "source"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "day", "placement", "arm", "source"], name="one_placement_stat_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.placement} {self.arm} {self.source}"


class ItemStat(models.Model):
    """The impressions of an item on a day, by placement, arm and source: the basis of coverage and novelty."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    placement = models.CharField(max_length=64, db_collation="C")
    arm = models.CharField(max_length=16, blank=True, db_collation="C")
    source = models.CharField(max_length=8, db_collation="C")
    item = models.ForeignKey("recommendations.Item", on_delete=models.CASCADE, related_name="+", db_index=False)
    shown = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "item statistics"
        verbose_name_plural = "item statistics"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "day", "placement", "arm", "source", "item"], name="one_item_stat_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.item_id}"


class Exposure(models.Model):
    """A person who is compared with others (an arm) and what they did first in one week after a page was shown."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    placement = models.CharField(max_length=64, db_collation="C")
    arm = models.CharField(max_length=16, db_collation="C")
    week = models.DateField(help_text="Its Monday in UTC.")
    end_user = models.ForeignKey("recommendations.EndUser", on_delete=models.CASCADE, related_name="+")
    first_at = models.DateTimeField()
    click_at = models.DateTimeField(null=True, blank=True)
    conversion_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "placement", "arm", "week", "end_user"], name="one_exposure_per_person_week"
            )
        ]

    def __str__(self) -> str:
        return f"{self.placement} {self.arm} {self.week}"
