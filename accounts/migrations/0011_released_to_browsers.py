"""Which attributes people's browsers may see and filter by; none until a tenant says so."""

import django.contrib.postgres.fields
from django.db import migrations, models

_ITEMS = (
    "Names of item attributes that people's browsers may see and filter by, one in a line; none: no attribute. "
    "Effective within 5 seconds."
)
_PEOPLE = (
    "Names of people's own attributes that their browsers may filter by, one in a line; segments stands for the person's "
    "segments too. Effective within 5 seconds."
)


def _names(help_text):
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.CharField(max_length=128),
        blank=True,
        db_default=[],
        default=list,
        help_text=help_text,
        size=None,
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_audit_log")]

    operations = [
        migrations.AddField(model_name="tenant", name="browser_item_attributes", field=_names(_ITEMS)),
        migrations.AddField(model_name="tenant", name="browser_user_attributes", field=_names(_PEOPLE)),
    ]
