"""Tenants and the plans that limit them."""

from django.core.validators import RegexValidator
from django.db import models

from core import clock


class Plan(models.Model):
    """What a tenant may use. Days and months end in UTC."""

    name = models.CharField(max_length=64, unique=True)
    ai_calls_per_build = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="At most so many AI calls in one build; empty: the deployment's AI_CALLS_PER_BUILD.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Tenant(models.Model):
    """A customer organisation; every item, person, event and list belongs to exactly one."""

    slug = models.SlugField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "Lower-case letters, digits and hyphens.")],
    )
    name = models.CharField(max_length=200)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="tenants")
    active = models.BooleanField(default=True, help_text="An inactive tenant's tokens are refused within 5 seconds.")
    create_unknown = models.BooleanField(
        default=True, help_text="An event for an unknown item or person creates it; otherwise the event is refused."
    )
    locale = models.CharField(max_length=16, default="en", help_text="For reasons, where a person has none.")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug
