"""Webhooks and their messages, under row-level security from the start."""

import core.clock
import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from core.postgres.row_level_security import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tenant_id', models.BigIntegerField()),
                ('url', models.CharField(max_length=500, verbose_name='URL')),
                ('description', models.CharField(blank=True, max_length=200)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), help_text='Types of events that it hears of.', size=None)),
                ('active', models.BooleanField(default=True)),
                ('secret', models.CharField(editable=False, max_length=300)),
                ('previous_secret', models.CharField(blank=True, editable=False, max_length=300)),
                ('previous_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('stopped', models.CharField(blank=True, editable=False, help_text='Why it was switched off by itself.', max_length=200)),
                ('created_at', models.DateTimeField(default=core.clock.now, editable=False)),
            ],
            options={
                'verbose_name': 'webhook',
                'ordering': ['tenant_id', 'id'],
                'indexes': [models.Index(fields=['tenant_id'], name='webhook_by_tenant')],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('tenant_id', models.BigIntegerField()),
                ('message_id', models.CharField(max_length=40)),
                ('type', models.CharField(max_length=64)),
                ('body', models.TextField()),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('failed', 'Given up')], default='pending', max_length=9)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(blank=True, help_text='When it is tried next.', null=True)),
                ('log', models.JSONField(default=list, help_text='Each attempt: when, status or error, milliseconds.')),
                ('created_at', models.DateTimeField()),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='core.webhookendpoint')),
            ],
            options={
                'verbose_name': 'webhook delivery',
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['due_at'], name='webhook_due'), models.Index(fields=['created_at'], name='webhook_by_age')],
                'constraints': [models.UniqueConstraint(fields=('endpoint', 'message_id'), name='webhook_message_once_per_endpoint')],
            },
        ),
        EnableTenantScope("core_webhookendpoint"),
        EnableTenantScope("core_webhookdelivery"),
    ]
