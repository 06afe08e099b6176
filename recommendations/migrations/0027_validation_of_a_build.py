"""Which events one build holds back, where it was asked for; else the tenant's setting holds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0026_value_as_strength")]

    operations = [
        migrations.AddField(
            model_name="build",
            name="validation",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Which events it holds back to choose by, where it was asked for; empty is the tenant's "
                "setting.",
                max_length=8,
            ),
        ),
    ]
