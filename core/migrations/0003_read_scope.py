"""Which scope a stored answer demands of whoever is shown it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_webhooks")]

    operations = [
        migrations.AddField(
            model_name="idempotencykey",
            name="read_scope",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        )
    ]
