"""The way in which the values of events count, by type."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("recommendations", "0025_kept_pages"),
    ]

    operations = [
        migrations.AddField(
            model_name="eventtype",
            name="value_as_strength",
            field=models.CharField(
                choices=[
                    ("auto", "Auto: chosen by each training"),
                    ("none", "None: ignore values"),
                    ("log", "Log: more counts more, with diminishing returns"),
                    ("threshold", "Threshold: values below the user's usual one count half"),
                ],
                db_default="auto",
                default="auto",
                help_text="How values (plays, seconds, stars) scale the weight of events.",
                max_length=9,
            ),
        ),
    ]
