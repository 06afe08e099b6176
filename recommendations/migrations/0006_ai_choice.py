"""Whom AI is for, what of a tenant may leave, and the log of what was sent."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_limits_and_usage'),
        ('recommendations', '0005_attribution'),
    ]

    operations = [
        migrations.AddField(
            model_name='placement',
            name='ai_control_percent',
            field=models.PositiveSmallIntegerField(blank=True, help_text="Percentage of users (stable per user) held out from AI. Empty: AI_CONTROL_PERCENT.", null=True, validators=[django.core.validators.MaxValueValidator(90)]),
        ),
        migrations.AddField(
            model_name='userlist',
            name='arm',
            field=models.CharField(blank=True, db_default='', default='', help_text='Of the comparison of AI; empty: not in it.', max_length=16),
        ),
        migrations.CreateModel(
            name='AIRelease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('enabled', models.BooleanField(default=True, help_text='Off: nothing of this tenant is sent, whatever else is set.')),
                ('item_attributes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, help_text='Names of item attributes that may be sent, comma-separated.', size=None)),
                ('person_attributes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, help_text="Names of people's attributes that may be sent, comma-separated.", size=None)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI release',
            },
        ),
        migrations.CreateModel(
            name='AIGate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('placement', models.CharField(max_length=63)),
                ('segment', models.CharField(choices=[('cold', 'Cold: no history'), ('sparse', 'Sparse'), ('regular', 'Regular'), ('heavy', 'Heavy')], max_length=8)),
                ('open', models.BooleanField(help_text='Empty: the configuration decides.', null=True)),
                ('why', models.CharField(choices=[('worth', 'It pays, as far as the interval is sure'), ('switched_off', 'It does not pay, as far as the interval is sure'), ('unsure', 'The interval holds both: the configuration decides'), ('too_few', 'Too few measurements: the configuration decides')], max_length=12)),
                ('with_ai', models.PositiveBigIntegerField(default=0, help_text='Measured cases with AI.')),
                ('control', models.PositiveBigIntegerField(default=0, help_text='Measured cases of the control arm.')),
                ('uplift', models.FloatField(default=0.0, help_text='Successes more per case than in the control arm.')),
                ('uplift_low', models.FloatField(default=0.0, help_text='Lower end of its 95 % interval.')),
                ('uplift_high', models.FloatField(default=0.0, help_text='Upper end of its 95 % interval.')),
                ('per_usd', models.FloatField(blank=True, help_text='Successes more per dollar; empty where it cost none.', null=True)),
                ('cost_nano_usd', models.BigIntegerField(default=0)),
                ('measured_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI gate',
                'ordering': ['tenant', 'placement', 'segment'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'placement', 'segment'), name='one_ai_gate_per_segment')],
            },
        ),
        migrations.CreateModel(
            name='AISent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True)),
                ('origin', models.CharField(help_text='To whom.', max_length=200)),
                ('model', models.CharField(max_length=100)),
                ('purpose', models.CharField(max_length=32)),
                ('prompt_version', models.CharField(blank=True, default='', max_length=32)),
                ('subject', models.CharField(blank=True, default='', help_text="Digest of the person's key, so that erasing them finds it.", max_length=64)),
                ('digest', models.CharField(help_text='SHA-256 of the messages: whoever has the texts can compare.', max_length=64)),
                ('size_bytes', models.PositiveIntegerField()),
                ('contents', models.JSONField(default=dict, help_text='Kinds of facts with their number, names of attributes.')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI request sent',
                'verbose_name_plural': 'AI requests sent',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tenant', 'subject'], name='ai_sent_subject')],
            },
        ),
        *(EnableTenantScope(f"recommendations_{table}") for table in ("airelease", "aigate", "aisent")),
    ]
