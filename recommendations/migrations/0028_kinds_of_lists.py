"""The choices of `ReferenceList.kind` come from the registry of kinds; nothing changes in the database."""

from django.db import migrations, models

import recommendations.list_kinds


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0027_validation_of_a_build")]

    operations = [
        migrations.AlterField(
            model_name="referencelist",
            name="kind",
            field=models.CharField(choices=recommendations.list_kinds.stored_choices, max_length=16),
        ),
    ]
