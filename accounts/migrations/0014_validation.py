"""Which events a tenant's trainings hold back to choose by; decided from the data until a tenant says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_cold_items")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="validation",
            field=models.CharField(
                choices=[
                    ("auto", "What suits the data"),
                    ("time", "What returning people do after a moment"),
                    ("last", "Each person's last events"),
                    ("random", "Random events"),
                ],
                db_default="auto",
                default="auto",
                help_text="Which events a training holds back, to choose what serves by how well it foretells them. "
                "Effective with the next build, whose page says what was held back, and why.",
                max_length=8,
            ),
        ),
    ]
