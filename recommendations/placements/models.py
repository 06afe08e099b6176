"""Placements: the named places where a tenant shows lists."""

from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models

HOME = "home"


class Placement(models.Model):
    """A place where a list is shown. `active_build` is the snapshot pointer: the build whose lists serve."""

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

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="placement_per_tenant")]
        ordering: ClassVar = ["tenant", "name"]

    def __str__(self) -> str:
        return self.name
