"""Experiments and who is compared in them, under row-level security from the start."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_attribution'),
        ('recommendations', '0009_ai_batches'),
    ]

    operations = [
        migrations.CreateModel(
            name='Experiment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('metric', models.CharField(choices=[('click', 'People who click'), ('conversion', 'People who convert')], default='click', max_length=10)),
                ('horizon_hours', models.PositiveSmallIntegerField(default=24, help_text="How long after their first page a person's click or conversion counts.")),
                ('alpha', models.FloatField(default=0.05, help_text='The chance to call an effect where there is none.')),
                ('max_days', models.PositiveSmallIntegerField(default=28, help_text='Then it ends without a decision.')),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('running', 'Running'), ('decided', 'Decided: people keep their arms until it is ended'), ('ended', 'Ended')], default='draft', editable=False, max_length=8)),
                ('verdict', models.CharField(blank=True, editable=False, max_length=200)),
                ('looks', models.JSONField(blank=True, default=dict, editable=False)),
                ('looked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('started_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('ended_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('placement', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.placement')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ExperimentArm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('letter', models.CharField(max_length=1, validators=[django.core.validators.RegexValidator('^[a-h]$', 'A letter from a to h; a is the control.')])),
                ('percent', models.PositiveSmallIntegerField(help_text='Of all people at the placement.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(99)])),
                ('ai', models.BooleanField(default=True, help_text='Whether AI may rerank the lists of this arm.')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='arms', to='recommendations.experiment')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['letter'],
            },
        ),
        migrations.CreateModel(
            name='Exposure',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('placement', models.CharField(db_collation='C', max_length=64)),
                ('arm', models.CharField(db_collation='C', max_length=16)),
                ('week', models.DateField(help_text='Its Monday, UTC.')),
                ('first_at', models.DateTimeField()),
                ('click_at', models.DateTimeField(blank=True, null=True)),
                ('conversion_at', models.DateTimeField(blank=True, null=True)),
                ('end_user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.enduser')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
        ),
        migrations.AddConstraint(
            model_name='experiment',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['running', 'decided'])), fields=('placement',), name='one_experiment_per_placement'),
        ),
        migrations.AddConstraint(
            model_name='experiment',
            constraint=models.CheckConstraint(condition=models.Q(('alpha__gt', 0), ('alpha__lte', 0.2), ('horizon_hours__gte', 1), ('max_days__gte', 1)), name='experiment_limits'),
        ),
        migrations.AddConstraint(
            model_name='experimentarm',
            constraint=models.UniqueConstraint(fields=('experiment', 'letter'), name='one_arm_per_letter'),
        ),
        migrations.AddConstraint(
            model_name='experimentarm',
            constraint=models.CheckConstraint(condition=models.Q(('percent__gte', 1), ('percent__lte', 99)), name='arm_percent'),
        ),
        migrations.AddConstraint(
            model_name='exposure',
            constraint=models.UniqueConstraint(fields=('tenant', 'placement', 'arm', 'week', 'end_user'), name='one_exposure_per_person_week'),
        ),
        *[EnableTenantScope(f"recommendations_{table}") for table in ("experiment", "experimentarm", "exposure")],
    ]
