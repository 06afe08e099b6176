"""What was shown for how long it matters, and counts by day that name nobody."""

import re
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

_LABEL = re.compile(r"x\d+[a-h]")


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
    hour = models.DateTimeField(help_text="When the hour began.")
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
    """How often an item was shown on a day, by placement, arm and source: coverage and novelty come from it."""

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
    week = models.DateField(help_text="Its Monday, UTC.")
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


class Experiment(models.Model):
    """Arms at a placement, people spread over them for good, and the comparison of what they did.

    What is compared: the share of people who clicked (converted) within `horizon_hours` of their first page. The first
    arm is the control. `looks` holds the p of every comparison, which never rises.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        DECIDED = "decided", "Decided: people keep their arms until it is ended"
        ENDED = "ended", "Ended"

    class Metric(models.TextChoices):
        CLICK = "click", "People who click"
        CONVERSION = "conversion", "People who convert"

    ASSIGNING: ClassVar = (Status.RUNNING, Status.DECIDED)

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    placement = models.ForeignKey("recommendations.Placement", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    metric = models.CharField(max_length=10, choices=Metric.choices, default=Metric.CLICK)
    horizon_hours = models.PositiveSmallIntegerField(
        default=24, help_text="How long after their first page a person's click or conversion counts."
    )
    alpha = models.FloatField(default=0.05, help_text="The chance to call an effect where there is none.")
    max_days = models.PositiveSmallIntegerField(default=28, help_text="Then it ends without a decision.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT, editable=False)
    verdict = models.CharField(max_length=200, blank=True, editable=False)
    looks = models.JSONField(default=dict, blank=True, editable=False)
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["placement"],
                condition=models.Q(status__in=["running", "decided"]),
                name="one_experiment_per_placement",
            ),
            models.CheckConstraint(
                condition=models.Q(alpha__gt=0, alpha__lte=0.2, horizon_hours__gte=1, max_days__gte=1),
                name="experiment_limits",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentArm(models.Model):
    """One way of making the lists of an experiment: by which rules, from which artefact, with AI or without.

    `rules` and `artefact` stay named when the version and the artefact are long gone.
    """

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    letter = models.CharField(
        max_length=1, validators=[RegexValidator(r"^[a-h]$", "A letter from a to h; a is the control.")]
    )
    percent = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(99)], help_text="Of all people at the placement."
    )
    ai = models.BooleanField(default=True, help_text="Whether AI may rerank the lists of this arm.")
    version = models.ForeignKey(
        "recommendations.PlacementVersion",
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose rules and prompt its lists follow, a draft too; empty: the placement's active version.",
    )
    rules = models.JSONField(
        null=True, blank=True, editable=False, help_text="The version's, as they were at the start."
    )
    artefact = models.ForeignKey(
        "recommendations.Artefact",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="What its lists are made with, kept until the experiment ends; empty: the build's.",
    )

    class Meta:
        ordering: ClassVar = ["letter"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "letter"], name="one_arm_per_letter"),
            models.CheckConstraint(condition=models.Q(percent__gte=1, percent__lte=99), name="arm_percent"),
        ]

    def __str__(self) -> str:
        return self.letter

    @property
    def label(self) -> str:
        """How lists, impressions and exposures name it."""
        return f"x{self.experiment_id}{self.letter}"

    @staticmethod
    def labelled(label: str) -> bool:
        """Whether this names an experiment's arm, rather than one of AI's comparison."""
        return _LABEL.fullmatch(label) is not None
