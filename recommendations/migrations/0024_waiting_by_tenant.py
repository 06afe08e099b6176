from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recommendations', '0023_ai_call_detail'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='enduser',
            index=models.Index(condition=models.Q(('dirty_at__isnull', False)), fields=['tenant', 'dirty_at'], name='end_user_waiting'),
        ),
        migrations.RemoveIndex(
            model_name='enduser',
            name='end_user_dirty',
        ),
    ]
