"""Tenants and the plans that limit them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from accounts.models.origins import validate_origins
from core import clock
from core.ratelimit import Limits, Quota, RateLimit

READ, WRITE = "read", "write"
# For a plan without any limit of its own: `Plan(name=..., **UNLIMITED)`.
UNLIMITED = {
    "read_per_minute": None,
    "write_per_minute": None,
    "requests_per_month": None,
    "browser_read_per_minute": None,
    "browser_write_per_minute": None,
}
_AT_LEAST_ONE = MinValueValidator(1)


@dataclass(frozen=True, slots=True)
class BrowserLimits:
    """Limits of browser tokens inside the tenant's limits, by class: for each user, and for all users together.

    The rest of the tenant's rate, and of its quota, is reserved for the backend.
    """

    each: Mapping[str, RateLimit | None] = field(default_factory=dict)
    together: Mapping[str, RateLimit | None] = field(default_factory=dict)
    quota: int | None = None


class Plan(models.Model):
    """Limits of a tenant. Days and months end in UTC.

    Requests are counted by class: reads and writes. A batch of recommendations counts as its number of users.
    """

    class OnQuota(models.TextChoices):
        REJECT = "reject", "Reject every request (429)"
        STATIC = "static", "Answer reads of recommendations with the popular list, reject the rest"

    name = models.CharField(max_length=64, unique=True)
    read_per_minute = models.PositiveIntegerField(
        default=6000, null=True, blank=True, validators=[_AT_LEAST_ONE], help_text="Empty: unlimited."
    )
    read_burst = models.PositiveIntegerField(
        default=600,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="Burst size. Empty: one minute's worth.",
    )
    write_per_minute = models.PositiveIntegerField(
        default=1200, null=True, blank=True, validators=[_AT_LEAST_ONE], help_text="Empty: unlimited."
    )
    write_burst = models.PositiveIntegerField(
        default=200,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="Burst size. Empty: one minute's worth.",
    )
    requests_per_month = models.PositiveBigIntegerField(
        default=None, null=True, blank=True, help_text="Reads and writes together. Empty: unlimited, but counted."
    )
    on_quota = models.CharField(
        max_length=8,
        choices=OnQuota.choices,
        default=OnQuota.REJECT,
        help_text="Response to requests over the monthly quota.",
    )
    browser_read_per_minute = models.PositiveIntegerField(
        default=240,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="For one user's browser tokens, half of it as a burst. Empty: unlimited.",
    )
    browser_write_per_minute = models.PositiveIntegerField(
        default=120,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="For one user's browser tokens, half of it as a burst. Empty: unlimited.",
    )
    backend_percent = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MaxValueValidator(99)],
        help_text="Share of every limit reserved for the backend, which browser tokens cannot use.",
    )
    ai_calls_per_build = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Maximum AI calls per build. Empty: AI_CALLS_PER_BUILD.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(read_per_minute__gte=1)
                & models.Q(read_burst__gte=1)
                & models.Q(write_per_minute__gte=1)
                & models.Q(write_burst__gte=1),
                name="plan_limits_at_least_1",
            ),
            models.CheckConstraint(
                condition=models.Q(browser_read_per_minute__gte=1)
                & models.Q(browser_write_per_minute__gte=1)
                & models.Q(backend_percent__lte=99),
                name="plan_browser_limits",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def limits(self) -> Limits:
        """Returns the plan's limits for the rate limiter."""
        return Limits(
            rates={
                READ: _rate(READ, self.read_per_minute, self.read_burst),
                WRITE: _rate(WRITE, self.write_per_minute, self.write_burst),
            },
            quota=Quota(self.requests_per_month, cast(Literal["reject", "static"], self.on_quota)),
        )

    def browser_limits(self) -> BrowserLimits:
        """Returns the part of the limits that browser tokens may use."""
        left = 100 - self.backend_percent
        whole = self.limits().rates
        per_minute = {READ: self.browser_read_per_minute, WRITE: self.browser_write_per_minute}
        month = self.requests_per_month
        return BrowserLimits(
            each={name: _rate(f"browser-{name}", most, (most or 0) // 2 or None) for name, most in per_minute.items()},
            together={
                name: rate
                and RateLimit(
                    f"browsers-{name}",
                    count=max(1, rate.count * left // 100),
                    window_seconds=rate.window_seconds,
                    burst=max(1, rate.burst * left // 100),
                )
                for name, rate in whole.items()
            },
            quota=None if month is None else month * left // 100,
        )


def _rate(name: str, per_minute: int | None, burst: int | None) -> RateLimit | None:
    if per_minute is None:
        return None
    return RateLimit(name, count=per_minute, window_seconds=60, burst=min(burst or per_minute, per_minute))


class Tenant(models.Model):
    """A customer organisation; every item, user, event and list belongs to exactly one."""

    class Impressions(models.TextChoices):
        IMPLIED = "implied", "Every served page"
        EXPLICIT = "explicit", "Events of the type impression"

    class Validation(models.TextChoices):
        AUTO = "auto", "Depending on the data"
        TIME = "time", "Events of returning users after a point in time"
        LAST = "last", "Each user's last events"
        RANDOM = "random", "Random events"

    slug = models.SlugField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "Lower-case letters, digits and hyphens.")],
    )
    name = models.CharField(max_length=200)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="tenants")
    active = models.BooleanField(default=True, help_text="An inactive tenant's tokens are rejected within 5 seconds.")
    require_dpop = models.BooleanField(
        "require DPoP",
        default=False,
        help_text="Reject tokens not bound to a key (RFC 9449), except browser tokens. Effective within 5 seconds.",
    )
    create_unknown = models.BooleanField(
        default=True, help_text="Events for unknown items or users create them; otherwise such events are rejected."
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=300),
        default=list,
        blank=True,
        validators=[validate_origins],
        help_text="Origins of the tenant's own web pages that may call the API, such as https://shop.example.org; one "
        "per line. Effective within 5 seconds.",
    )
    locale = models.CharField(max_length=16, default="en", help_text="Language of reasons for users without a locale.")
    impressions = models.CharField(
        max_length=8,
        choices=Impressions.choices,
        default=Impressions.IMPLIED,
        help_text="Source of impressions. Effective within 5 seconds.",
    )
    attribution_hours = models.PositiveSmallIntegerField(
        default=168,
        validators=[_AT_LEAST_ONE, MaxValueValidator(2160)],
        help_text="Hours after an impression within which clicks and conversions are attributed to it.",
    )
    conversion_types = models.CharField(
        max_length=200,
        default="purchase",
        validators=[RegexValidator(r"^[a-z0-9_.:-]+( [a-z0-9_.:-]+)*$", "Event types, with single spaces between.")],
        help_text="Event types that are conversions, separated by spaces. Clicks are events of the type click.",
    )
    browser_item_attributes = ArrayField(
        models.CharField(max_length=128),
        default=list,
        db_default=[],
        blank=True,
        help_text="Item attributes that browser tokens may read and filter by, one per line. Empty: none. Effective "
        "within 5 seconds.",
    )
    browser_user_attributes = ArrayField(
        models.CharField(max_length=128),
        default=list,
        db_default=[],
        blank=True,
        help_text="User attributes that browser tokens may filter by, one per line; `segments` means the user's "
        "segments. Empty: none. Effective within 5 seconds.",
    )
    cold_items = models.PositiveSmallIntegerField(
        "places for new items",
        null=True,
        blank=True,
        validators=[MaxValueValidator(100)],
        help_text="Every n-th slot of each list is reserved for a new item without interactions. 0: none. Empty: each "
        "training decides by their measured benefit. Effective with the next training.",
    )
    validation = models.CharField(
        max_length=8,
        choices=Validation.choices,
        default=Validation.AUTO,
        db_default="auto",
        help_text="Events held out by a training, to choose the best model for them. Effective with the next build, "
        "whose page shows the held-out events and the reason.",
    )
    synthetic = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="No customer: synthetic checks call the service as this tenant. Left out of billing and reports.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=models.Q(attribution_hours__gte=1), name="attribution_at_least_an_hour"),
            models.UniqueConstraint(
                fields=["synthetic"], condition=models.Q(synthetic=True), name="at_most_one_synthetic_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.slug
