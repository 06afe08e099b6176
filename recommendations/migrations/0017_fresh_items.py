"""Items that came or changed after a training."""

import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_require_dpop'),
        ('recommendations', '0016_related_people'),
    ]

    operations = [
        migrations.AddField(
            model_name='artefact',
            name='catalogue_at',
            field=models.DateTimeField(blank=True, help_text="Items that changed later may not be in it; the moment is the database's.", null=True),
        ),
        migrations.CreateModel(
            name='FreshItem',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('item_id', models.CharField(db_collation='C', max_length=128)),
                ('revision', models.BigIntegerField(help_text="Rises with every change of any of the build's rows.")),
                ('place', models.PositiveIntegerField(blank=True, null=True)),
                ('seen_at', models.DateTimeField(help_text='The change of the item that was looked at last.')),
                ('shown', models.BooleanField(help_text='Whether it could be shown then.')),
                ('waiting', models.BooleanField(help_text='The lists that it belongs in do not have it yet.')),
                ('terms', models.BinaryField(default=bytes)),
                ('near', models.BinaryField(default=bytes)),
                ('left', models.BinaryField(default=bytes, help_text='Whose lists it may have to leave, since its text changed.')),
                ('people', models.PositiveIntegerField(default=0, help_text='For how many people lists were made anew.')),
                ('listed_at', models.DateTimeField(blank=True, null=True)),
                ('build', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.build')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('waiting', True)), fields=['build', 'revision'], name='fresh_item_waiting')],
                'constraints': [models.UniqueConstraint(fields=('build', 'item_id'), name='one_fresh_item_per_build'), models.UniqueConstraint(fields=('build', 'revision'), name='fresh_item_revision'), models.UniqueConstraint(fields=('build', 'place'), name='fresh_item_place')],
            },
        ),
        EnableTenantScope("recommendations_freshitem"),
    ]
