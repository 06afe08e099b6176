"""An arm of an experiment may follow a version of the placement's rules and have an artefact of its own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recommendations', '0013_kinds_of_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='experimentarm',
            name='artefact',
            field=models.ForeignKey(blank=True, db_constraint=False, help_text='What its lists are made with, kept until the experiment ends; empty: the build\'s.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='recommendations.artefact'),
        ),
        migrations.AddField(
            model_name='experimentarm',
            name='rules',
            field=models.JSONField(blank=True, editable=False, help_text="The version's, as they were at the start.", null=True),
        ),
        migrations.AddField(
            model_name='experimentarm',
            name='version',
            field=models.ForeignKey(blank=True, help_text="Whose rules and prompt its lists follow, a draft too; empty: the placement's active version.", null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='recommendations.placementversion'),
        ),
    ]
