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
    """What holds for browsers' tokens inside the tenant's limits, by class: of one person, and of all of them together.

    The rest of the tenant's rate, and of its month, is kept for the backend.
    """

    each: Mapping[str, RateLimit | None] = field(default_factory=dict)
    together: Mapping[str, RateLimit | None] = field(default_factory=dict)
    quota: int | None = None


class Plan(models.Model):
    """What a tenant may use. Days and months end in UTC.

    Requests are counted by class: reading, writing. A batch of recommendations counts as its number of people.
    """

    class OnQuota(models.TextChoices):
        REJECT = "reject", "Refuse every request (429)"
        STATIC = "static", "Answer reads of recommendations with the popular list, refuse the rest"

    name = models.CharField(max_length=64, unique=True)
    read_per_minute = models.PositiveIntegerField(
        default=6000, null=True, blank=True, validators=[_AT_LEAST_ONE], help_text="Empty: unlimited."
    )
    read_burst = models.PositiveIntegerField(
        default=600,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="How many of them at once, never more than a whole minute's; empty: those.",
    )
    write_per_minute = models.PositiveIntegerField(
        default=1200, null=True, blank=True, validators=[_AT_LEAST_ONE], help_text="Empty: unlimited."
    )
    write_burst = models.PositiveIntegerField(
        default=200,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="How many of them at once, never more than a whole minute's; empty: those.",
    )
    requests_per_month = models.PositiveBigIntegerField(
        default=None, null=True, blank=True, help_text="Reads and writes together; empty: counted, and unlimited."
    )
    on_quota = models.CharField(
        max_length=8,
        choices=OnQuota.choices,
        default=OnQuota.REJECT,
        help_text="What happens when the month's requests are used up.",
    )
    browser_read_per_minute = models.PositiveIntegerField(
        default=240,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="Of one person's browser tokens, half of them at once; empty: unlimited.",
    )
    browser_write_per_minute = models.PositiveIntegerField(
        default=120,
        null=True,
        blank=True,
        validators=[_AT_LEAST_ONE],
        help_text="Of one person's browser tokens, half of them at once; empty: unlimited.",
    )
    backend_percent = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MaxValueValidator(99)],
        help_text="The share of every limit that all browser tokens together leave to the backend.",
    )
    ai_calls_per_build = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="At most so many AI calls in one build; empty: the deployment's AI_CALLS_PER_BUILD.",
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
        """The plan as admission takes it."""
        return Limits(
            rates={
                READ: _rate(READ, self.read_per_minute, self.read_burst),
                WRITE: _rate(WRITE, self.write_per_minute, self.write_burst),
            },
            quota=Quota(self.requests_per_month, cast(Literal["reject", "static"], self.on_quota)),
        )

    def browser_limits(self) -> BrowserLimits:
        """What browsers' tokens may use of them."""
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
    """A customer organisation; every item, person, event and list belongs to exactly one."""

    class Impressions(models.TextChoices):
        IMPLIED = "implied", "Every page that is served"
        EXPLICIT = "explicit", "Events of the type impression"

    class Validation(models.TextChoices):
        AUTO = "auto", "What suits the data"
        TIME = "time", "What returning people do after a moment"
        LAST = "last", "Each person's last events"
        RANDOM = "random", "Random events"

    slug = models.SlugField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "Lower-case letters, digits and hyphens.")],
    )
    name = models.CharField(max_length=200)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="tenants")
    active = models.BooleanField(default=True, help_text="An inactive tenant's tokens are refused within 5 seconds.")
    require_dpop = models.BooleanField(
        "require DPoP",
        default=False,
        help_text="Refuse tokens that are not bound to a key (RFC 9449), but for browsers'. Effective in 5 seconds.",
    )
    create_unknown = models.BooleanField(
        default=True, help_text="An event for an unknown item or person creates it; otherwise the event is refused."
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=300),
        default=list,
        blank=True,
        validators=[validate_origins],
        help_text="Origins of the tenant's own web pages that may call the API, such as https://shop.example.org; one "
        "in a line. Effective within 5 seconds.",
    )
    locale = models.CharField(max_length=16, default="en", help_text="For reasons, where a person has none.")
    impressions = models.CharField(
        max_length=8,
        choices=Impressions.choices,
        default=Impressions.IMPLIED,
        help_text="What counts as shown. Effective in 5 seconds.",
    )
    attribution_hours = models.PositiveSmallIntegerField(
        default=168,
        validators=[_AT_LEAST_ONE, MaxValueValidator(2160)],
        help_text="How long after an impression a click or a conversion counts for it, in hours.",
    )
    conversion_types = models.CharField(
        max_length=200,
        default="purchase",
        validators=[RegexValidator(r"^[a-z0-9_.:-]+( [a-z0-9_.:-]+)*$", "Event types, with single spaces between.")],
        help_text="Event types that are conversions, with spaces between. Clicks are events of the type click.",
    )
    browser_item_attributes = ArrayField(
        models.CharField(max_length=128),
        default=list,
        db_default=[],
        blank=True,
        help_text="Names of item attributes that people's browsers may see and filter by, one in a line; none: no "
        "attribute. Effective within 5 seconds.",
    )
    browser_user_attributes = ArrayField(
        models.CharField(max_length=128),
        default=list,
        db_default=[],
        blank=True,
        help_text="Names of people's own attributes that their browsers may filter by, one in a line; segments "
        "stands for the person's segments too. Effective within 5 seconds.",
    )
    cold_items = models.PositiveSmallIntegerField(
        "places for new items",
        null=True,
        blank=True,
        validators=[MaxValueValidator(100)],
        help_text="One place in so many of each list is for an item that nobody has chosen yet; 0: none; empty: each "
        "training decides by what they bring. Effective with the next training.",
    )
    validation = models.CharField(
        max_length=8,
        choices=Validation.choices,
        default=Validation.AUTO,
        db_default="auto",
        help_text="Which events a training holds back, to choose what serves by how well it foretells them. Effective "
        "with the next build, whose page says what was held back, and why.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=models.Q(attribution_hours__gte=1), name="attribution_at_least_an_hour")
        ]

    def __str__(self) -> str:
        return self.slug
