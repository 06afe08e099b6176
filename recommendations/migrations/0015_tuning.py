"""Parameters that a tenant chose otherwise than the defaults."""

import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_require_dpop'),
        ('recommendations', '0014_experiment_versions'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tuning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('parameters', models.JSONField(default=dict, help_text='By name; what is not named has its default.')),
                ('verdict', models.TextField(help_text='How they did against the choice before, on a fold that they were not chosen on.')),
                ('ndcg', models.FloatField(help_text='Of these parameters on that fold.', verbose_name='ndcg@10')),
                ('ndcg_before', models.FloatField(help_text='Of the choice before.', verbose_name='ndcg@10 before')),
                ('stored_at', models.DateTimeField()),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name_plural': 'tuning',
            },
        ),
        EnableTenantScope("recommendations_tuning"),
    ]
