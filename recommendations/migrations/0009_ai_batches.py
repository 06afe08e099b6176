"""Questions for the vendor's batch interface, and the batches that they are asked in."""

import django.db.models.deletion
import uuid
from django.db import migrations, models

from accounts.tenancy.scope import EnableTenantScope


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_attribution'),
        ('recommendations', '0008_import_jobs'),
    ]

    operations = [
        migrations.AddField(
            model_name='build',
            name='asks_later',
            field=models.BooleanField(db_default=False, default=False, help_text="Asks AI through the vendor's batch interface; a build follows."),
        ),
        migrations.CreateModel(
            name='AIBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, help_text="What the vendor's batch is found again by.", unique=True)),
                ('build_id', models.BigIntegerField(help_text='The build whose lists it is about.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting to be submitted'), ('submitted', 'Submitted'), ('done', 'Done')], default='waiting', max_length=9)),
                ('result', models.CharField(blank=True, choices=[('answered', 'Answered'), ('partly', 'Partly answered'), ('budget', 'No budget'), ('expired', 'Not answered in time'), ('failed', 'Failed')], default='', max_length=8)),
                ('model', models.CharField(max_length=100)),
                ('vendor_id', models.CharField(blank=True, default='', max_length=100)),
                ('questions', models.PositiveIntegerField()),
                ('answers', models.PositiveIntegerField(default=0)),
                ('reservation', models.UUIDField(blank=True, editable=False, null=True)),
                ('day', models.DateField(blank=True, help_text='The UTC day whose budgets hold it.', null=True)),
                ('reserved_tokens', models.BigIntegerField(default=0)),
                ('reserved_nano_usd', models.BigIntegerField(default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='How often submitting it was tried.')),
                ('error', models.CharField(blank=True, default='', max_length=500)),
                ('created_at', models.DateTimeField()),
                ('submitted_at', models.DateTimeField(blank=True, null=True)),
                ('deadline_at', models.DateTimeField(help_text='Then it ends, with whatever was answered.')),
                ('next_at', models.DateTimeField(help_text='When it is looked at again.')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('followed_at', models.DateTimeField(blank=True, help_text='When a build with its answers began.', null=True)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI batch',
                'verbose_name_plural': 'AI batches',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='AIBatchQuestion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('build_id', models.BigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('subject', models.CharField(max_length=64)),
                ('request', models.JSONField()),
                ('created_at', models.DateTimeField()),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recommendations.aibatch')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'AI batch question',
            },
        ),
        migrations.AddIndex(
            model_name='aibatch',
            index=models.Index(condition=models.Q(('state', 'done'), _negated=True), fields=['next_at'], name='ai_batch_due'),
        ),
        migrations.AddIndex(
            model_name='aibatchquestion',
            index=models.Index(fields=['tenant', 'subject'], name='ai_batch_question_subject'),
        ),
        migrations.AddConstraint(
            model_name='aibatchquestion',
            constraint=models.UniqueConstraint(fields=('tenant', 'digest'), name='one_ai_batch_question_per_digest'),
        ),
        *(EnableTenantScope(f"recommendations_{table}") for table in ("aibatch", "aibatchquestion")),
    ]
