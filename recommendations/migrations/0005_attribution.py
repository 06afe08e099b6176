"""What was shown and what came of it; row-level security on all but the ids of batches."""

import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope

TENANT_TABLES = ["feedback", "impression", "itemstat", "placementstat"]


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_attribution'),
        ('recommendations', '0004_erasures'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImpressionBatch',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('stored_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Feedback',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('noted_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('interaction_id', models.BigIntegerField()),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'due_at', 'id'], name='feedback_due')],
            },
        ),
        migrations.CreateModel(
            name='Impression',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('recommendation_id', models.CharField(db_collation='C', max_length=64)),
                ('hour', models.DateTimeField(help_text='When the hour began.')),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('placement', models.CharField(max_length=64)),
                ('arm', models.CharField(blank=True, max_length=16)),
                ('source', models.CharField(max_length=8)),
                ('end_user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.enduser')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'last_at'], name='impression_by_age')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'recommendation_id', 'end_user', 'hour'), name='one_impression_per_page_person_hour', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='ItemStat',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('placement', models.CharField(db_collation='C', max_length=64)),
                ('arm', models.CharField(blank=True, db_collation='C', max_length=16)),
                ('source', models.CharField(db_collation='C', max_length=8)),
                ('shown', models.PositiveBigIntegerField(default=0)),
                ('item', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.item')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'day', 'placement', 'arm', 'source', 'item'), name='one_item_stat_per_day')],
            },
        ),
        migrations.CreateModel(
            name='PlacementStat',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('placement', models.CharField(db_collation='C', help_text='@kind for lists without a placement.', max_length=64)),
                ('arm', models.CharField(blank=True, db_collation='C', max_length=16)),
                ('source', models.CharField(db_collation='C', max_length=8)),
                ('impressions', models.PositiveBigIntegerField(default=0)),
                ('items_shown', models.PositiveBigIntegerField(default=0)),
                ('clicks', models.PositiveBigIntegerField(default=0)),
                ('conversions', models.PositiveBigIntegerField(default=0)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'placement statistic',
                'ordering': ['-day', 'placement', 'arm', 'source'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'day', 'placement', 'arm', 'source'), name='one_placement_stat_per_day')],
            },
        ),
        *[EnableTenantScope(f"recommendations_{table}") for table in TENANT_TABLES],
    ]
