from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recommendations', '0020_former_ids_by_digest'),
    ]

    operations = [
        migrations.AddField(
            model_name='import',
            name='reading',
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text="Options for reading the file."),
        ),
        migrations.AlterField(
            model_name='import',
            name='format',
            field=models.CharField(blank=True, choices=[('csv', 'CSV'), ('ndjson', 'NDJSON'), ('json', 'JSON')], default='', max_length=6),
        ),
    ]
