"""Placements: the named places where a tenant shows lists, and the versions of their rules."""

from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models

from core import clock

HOME = "home"


class Placement(models.Model):
    """A place where a list is shown. `active_build` is the snapshot pointer: the build whose lists serve.

    `active_version` is what was published last; the active build says which versions its lists were made with. Where
    they differ, a build is due that makes the lists anew. Without a version the rules are `{}`.
    """

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    name = models.SlugField(max_length=63, default=HOME)
    ai = models.BooleanField(default=True, help_text="Whether AI may rerank this placement's lists.")
    ai_control_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(90)],
        help_text="So many percent of the people never meet AI here, for comparison; empty: AI_CONTROL_PERCENT.",
    )
    pinned = models.JSONField(
        default=list, blank=True, help_text="Item ids shown where nothing else can be, best first."
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
    """One set of rules of a placement, under a number. A draft may change; what was published once never does."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")
    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(editable=False)
    rules = models.JSONField(default=dict, blank=True, help_text="See the documentation of placements.")
    note = models.CharField(max_length=200, blank=True, default="", help_text="What is new in it, for colleagues.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["placement", "number"], name="version_number_per_placement")
        ]
        ordering: ClassVar = ["placement", "-number"]

    def __str__(self) -> str:
        return f"v{self.number}" if self.published_at else f"v{self.number} (draft)"
