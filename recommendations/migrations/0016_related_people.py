"""Related people: one row a person, written by each training."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [('recommendations', '0015_tuning')]

    operations = [
        migrations.CreateModel(
            name='RelatedPeople',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('people', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('scores', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ('generated_at', models.DateTimeField()),
                ('end_user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.enduser')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
        ),
        EnableTenantScope("recommendations_relatedpeople"),
    ]
