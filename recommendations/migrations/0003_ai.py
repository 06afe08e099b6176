"""AI budgets, ledger, answers and statistics; row-level security on all but the deployment's own budget."""

import django.core.validators
import django.db.models.deletion
import uuid
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope

TENANT_TABLES = ["aianswer", "aibudget", "aicall", "aifallbackstat", "ailimit", "aireservation"]


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_tenant_scope'),
        ('recommendations', '0002_tenant_scope'),
    ]

    operations = [
        migrations.CreateModel(
            name='AIGlobalBudget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.CharField(choices=[('day', 'Day'), ('month', 'Month')], max_length=5)),
                ('starts_on', models.DateField()),
                ('spent_tokens', models.BigIntegerField(default=0)),
                ('reserved_tokens', models.BigIntegerField(default=0)),
                ('spent_nano_usd', models.BigIntegerField(default=0)),
                ('reserved_nano_usd', models.BigIntegerField(default=0)),
                ('warned_at', models.DateTimeField(blank=True, help_text='When the soft alert was given.', null=True)),
                ('exhausted_at', models.DateTimeField(blank=True, help_text='When it first refused a call for good.', null=True)),
            ],
            options={
                'verbose_name': 'AI budget of the deployment',
                'verbose_name_plural': 'AI budgets of the deployment',
                'ordering': ['-starts_on'],
                'constraints': [models.UniqueConstraint(fields=('period', 'starts_on'), name='one_ai_global_budget_per_period'), models.CheckConstraint(condition=models.Q(('reserved_nano_usd__gte', 0), ('reserved_tokens__gte', 0), ('spent_nano_usd__gte', 0), ('spent_tokens__gte', 0)), name='ai_global_budget_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='AILimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day_usd', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('month_usd', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('day_tokens', models.PositiveBigIntegerField(blank=True, null=True)),
                ('month_tokens', models.PositiveBigIntegerField(blank=True, null=True)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI limit',
            },
        ),
        migrations.CreateModel(
            name='AIReservation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('day', models.DateField(help_text='Names the budgets that hold it.')),
                ('tokens', models.BigIntegerField()),
                ('nano_usd', models.BigIntegerField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI reservation',
            },
        ),
        migrations.CreateModel(
            name='AIAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('subject', models.CharField(help_text="Digest of the person's key, so that erasing them finds it.", max_length=64)),
                ('model', models.CharField(max_length=100)),
                ('prompt_version', models.CharField(max_length=32)),
                ('content', models.JSONField()),
                ('created_at', models.DateTimeField(db_index=True)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI answer',
                'indexes': [models.Index(fields=['tenant', 'subject'], name='ai_answer_subject')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'digest'), name='one_ai_answer_per_digest')],
            },
        ),
        migrations.CreateModel(
            name='AIBudget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.CharField(choices=[('day', 'Day'), ('month', 'Month')], max_length=5)),
                ('starts_on', models.DateField()),
                ('spent_tokens', models.BigIntegerField(default=0)),
                ('reserved_tokens', models.BigIntegerField(default=0)),
                ('spent_nano_usd', models.BigIntegerField(default=0)),
                ('reserved_nano_usd', models.BigIntegerField(default=0)),
                ('warned_at', models.DateTimeField(blank=True, help_text='When the soft alert was given.', null=True)),
                ('exhausted_at', models.DateTimeField(blank=True, help_text='When it first refused a call for good.', null=True)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI budget',
                'ordering': ['-starts_on', 'tenant', 'period'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'period', 'starts_on'), name='one_ai_budget_per_period'), models.CheckConstraint(condition=models.Q(('reserved_nano_usd__gte', 0), ('reserved_tokens__gte', 0), ('spent_nano_usd__gte', 0), ('spent_tokens__gte', 0)), name='ai_budget_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='AICall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text='The UTC day whose budgets paid for it.')),
                ('at', models.DateTimeField()),
                ('build_id', models.BigIntegerField(blank=True, null=True)),
                ('purpose', models.CharField(max_length=32)),
                ('model', models.CharField(max_length=100)),
                ('prompt_version', models.CharField(blank=True, default='', max_length=32)),
                ('outcome', models.CharField(choices=[('ok', 'Answered'), ('invalid', 'Answer refused'), ('timeout', 'Timed out'), ('throttled', 'Throttled by the vendor'), ('error', 'Failed')], max_length=9)),
                ('input_tokens', models.PositiveIntegerField(default=0)),
                ('cached_tokens', models.PositiveIntegerField(default=0, help_text='Part of the input.')),
                ('output_tokens', models.PositiveIntegerField(default=0)),
                ('reasoning_tokens', models.PositiveIntegerField(default=0, help_text='Part of the output.')),
                ('usage_reported', models.BooleanField(default=True, help_text='No: the figures are our own upper bounds.')),
                ('cost_nano_usd', models.BigIntegerField(default=0)),
                ('latency_ms', models.PositiveIntegerField()),
                ('simulated', models.BooleanField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI call',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tenant', 'day'], name='ai_call_tenant_day')],
            },
        ),
        migrations.CreateModel(
            name='AIFallbackStat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.DateTimeField(help_text='When the five minutes began.')),
                ('kind', models.CharField(choices=[('meant', 'Meant for AI'), ('fallback', 'Meant for AI, published without'), ('skipped', 'Not meant for AI')], max_length=8)),
                ('reason', models.CharField(blank=True, default='', max_length=16)),
                ('lists', models.PositiveBigIntegerField(default=0)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI fallback statistic',
                'ordering': ['-slot', 'tenant', 'kind', 'reason'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'slot', 'kind', 'reason'), name='one_ai_stat_per_slot')],
            },
        ),
        *(EnableTenantScope(f"recommendations_{table}") for table in TENANT_TABLES),
    ]
