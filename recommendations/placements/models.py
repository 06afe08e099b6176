"""Placements, where a tenant shows lists, and versions of their rules."""

from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models

from core import clock

HOME = "home"


class Placement(models.Model):
    """A named place where lists are shown. `active_build` is the snapshot pointer: the build whose lists serve.

    `active_version` was published last. The active build knows the versions of its lists; if they differ, a build that
    recreates the lists is due. Without a version the rules are `{}`.
    """

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.SlugField(max_length=63, default=HOME)
    ai = models.BooleanField(default=True, help_text="Let AI rerank this placement's lists.")
    ai_control_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(90)],
        help_text="Percentage of users (stable per user) held out from AI. Empty: AI_CONTROL_PERCENT.",
    )
    pinned = models.JSONField(
        default=list, blank=True, help_text="Item ids shown if there is nothing else, best first."
    )
    active_build = models.ForeignKey(
        "recommendations.Build", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    active_version = models.ForeignKey(
        "recommendations.PlacementVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="placement_per_tenant")]
        ordering: ClassVar = ["tenant", "name"]

    def __str__(self) -> str:
        return self.name


class PlacementVersion(models.Model):
    """A numbered set of rules. Drafts can change; published versions cannot."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(editable=False)
    rules = models.JSONField(default=dict, blank=True, help_text="See the documentation of placements.")
    note = models.CharField(max_length=200, blank=True, default="", help_text="What changed, for colleagues.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["placement", "number"], name="version_number_per_placement")
        ]
        ordering: ClassVar = ["placement", "-number"]

    def __str__(self) -> str:
        return f"v{self.number}" if self.published_at else f"v{self.number} (draft)"
