"""Vectors of item texts."""

import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_retention'),
        ('recommendations', '0010_experiments'),
    ]

    operations = [
        migrations.AlterField(
            model_name='chunk',
            name='kind',
            field=models.CharField(choices=[('people', "People's lists"), ('similar', 'Similar items'), ('popular', 'Popular items'), ('semantic', 'Similar items by their texts')], default='people', max_length=8),
        ),
        migrations.CreateModel(
            name='AIVector',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='Of the text, the model and the number of dimensions.', max_length=64)),
                ('model', models.CharField(max_length=100)),
                ('vector', models.BinaryField()),
                ('used_on', models.DateField(db_index=True, help_text='The last day on which a build needed it.')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI vector',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'digest'), name='one_ai_vector_per_digest')],
            },
        ),
        EnableTenantScope("recommendations_aivector"),
    ]
