"""Experiments and their arms."""

import re
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

_LABEL = re.compile(r"x\d+[a-h]")


class Experiment(models.Model):
    """Arms at a placement, with a fixed assignment of users, and the comparison of their outcomes.

    The metric is the share of users that clicked (converted) within `horizon_hours` of their first page. The first arm
    is the control. `looks` holds the p of every comparison, which never rises.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        DECIDED = "decided", "Decided: users keep their arms until it is ended"
        ENDED = "ended", "Ended"

    class Metric(models.TextChoices):
        CLICK = "click", "Users who click"
        CONVERSION = "conversion", "Users who convert"

    ASSIGNING: ClassVar = (Status.RUNNING, Status.DECIDED)

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    placement = models.ForeignKey("recommendations.Placement", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    metric = models.CharField(max_length=10, choices=Metric.choices, default=Metric.CLICK)
    horizon_hours = models.PositiveSmallIntegerField(
        default=24, help_text="Hours after a user's first page in which clicks and conversions count."
    )
    alpha = models.FloatField(default=0.05, help_text="Significance level: the probability of a false positive.")
    max_days = models.PositiveSmallIntegerField(default=28, help_text="Days after which it ends without a decision.")
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
    """A variant of the lists of an experiment: its rules, its artefact, and whether it uses AI.

    `rules` and `artefact` are kept when the version and the artefact are gone.
    """

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    letter = models.CharField(
        max_length=1, validators=[RegexValidator(r"^[a-h]$", "A letter from a to h; a is the control.")]
    )
    percent = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(99)], help_text="Percentage of all users at the placement."
    )
    ai = models.BooleanField(default=True, help_text="Whether AI may rerank the lists of this arm.")
    version = models.ForeignKey(
        "recommendations.PlacementVersion",
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Version of the rules and prompt, also a draft. Empty: the placement's active version.",
    )
    rules = models.JSONField(null=True, blank=True, editable=False, help_text="The version's rules at the start.")
    artefact = models.ForeignKey(
        "recommendations.Artefact",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="Artefact of its lists, kept until the experiment ends. Empty: the build's.",
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
        """The name in lists, impressions and exposures."""
        return f"x{self.experiment_id}{self.letter}"

    @staticmethod
    def labelled(label: str) -> bool:
        """Tell whether this is the label of an experiment's arm, rather than one of the AI holdout."""
        return _LABEL.fullmatch(label) is not None
