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
                    ("auto", "Auto: as each training finds best"),
                    ("none", "None: values do not matter"),
                    ("log", "Log: more counts more, and less and less so"),
                    ("threshold", "Threshold: below a person's usual value counts half"),
                ],
                db_default="auto",
                default="auto",
                help_text="How the values of these events (plays, seconds, stars) make them count more or less.",
                max_length=9,
            ),
        ),
    ]
