"""A tenant may say how many places of a list are for items that nobody has chosen."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_browser_limits")]

    operations = [
        migrations.AddField(
            "tenant",
            "cold_items",
            models.PositiveSmallIntegerField(
                blank=True,
                help_text="One place in so many of each list is for an item that nobody has chosen yet; 0: none; "
                "empty: each training decides by what they bring. Effective with the next training.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(100)],
                verbose_name="places for new items",
            ),
        ),
    ]
