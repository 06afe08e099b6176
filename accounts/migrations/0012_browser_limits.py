"""Limits for browsers' tokens, inside those of the plan."""

import django.core.validators
from django.db import migrations, models

_AT_LEAST_ONE = [django.core.validators.MinValueValidator(1)]
_EACH = "Of one person's browser tokens, half of them at once; empty: unlimited."


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_released_to_browsers")]

    operations = [
        migrations.AddField(
            "plan",
            "browser_read_per_minute",
            models.PositiveIntegerField(
                blank=True, default=240, help_text=_EACH, null=True, validators=_AT_LEAST_ONE
            ),
        ),
        migrations.AddField(
            "plan",
            "browser_write_per_minute",
            models.PositiveIntegerField(
                blank=True, default=120, help_text=_EACH, null=True, validators=_AT_LEAST_ONE
            ),
        ),
        migrations.AddField(
            "plan",
            "backend_percent",
            models.PositiveSmallIntegerField(
                db_default=50,
                default=50,
                help_text="The share of every limit that all browser tokens together leave to the backend.",
                validators=[django.core.validators.MaxValueValidator(99)],
            ),
        ),
        migrations.AddConstraint(
            "plan",
            models.CheckConstraint(
                condition=models.Q(
                    ("browser_read_per_minute__gte", 1),
                    ("browser_write_per_minute__gte", 1),
                    ("backend_percent__lte", 99),
                ),
                name="plan_browser_limits",
            ),
        ),
    ]
