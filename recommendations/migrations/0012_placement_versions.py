"""Placements have versions of rules; a build notes which ones its lists follow."""

import core.clock
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_retention'),
        ('recommendations', '0011_ai_vectors'),
    ]

    operations = [
        migrations.AddField(
            model_name='build',
            name='versions',
            field=models.JSONField(default=dict, editable=False, help_text='Placement to the version whose rules its lists follow; null is none.'),
        ),
        migrations.CreateModel(
            name='PlacementVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(editable=False)),
                ('rules', models.JSONField(blank=True, default=dict, help_text='See the documentation of placements.')),
                ('note', models.CharField(blank=True, default='', help_text="What changed, for colleagues.", max_length=200)),
                ('created_at', models.DateTimeField(default=core.clock.now, editable=False)),
                ('published_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('placement', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='recommendations.placement')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'ordering': ['placement', '-number'],
            },
        ),
        migrations.AddField(
            model_name='placement',
            name='active_version',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='recommendations.placementversion'),
        ),
        migrations.AddConstraint(
            model_name='placementversion',
            constraint=models.UniqueConstraint(fields=('placement', 'number'), name='version_number_per_placement'),
        ),
        EnableTenantScope("recommendations_placementversion"),
    ]
