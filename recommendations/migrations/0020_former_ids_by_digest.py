"""Who somebody is now whose id was merged, by that id's digest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0019_names_in_the_admin")]

    operations = [
        migrations.AddIndex(
            model_name="formerid", index=models.Index(fields=["tenant", "digest"], name="former_id_by_digest")
        )
    ]
