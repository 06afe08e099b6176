"""Imports remember from which interaction on their users are still to be marked for a rescore."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("recommendations", "0029_help_texts")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="import",
            name="unmarked_from",
            field=models.PositiveBigIntegerField(blank=True, editable=False, null=True),
        ),
    ]
