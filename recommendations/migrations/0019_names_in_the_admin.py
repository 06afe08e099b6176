"""Names as the admin shows them."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [('recommendations', '0018_lists_of_segments')]

    operations = [
        migrations.AlterModelOptions(
            name='feedback',
            options={'verbose_name_plural': 'feedback'},
        ),
        migrations.AlterModelOptions(
            name='itemstat',
            options={'verbose_name': 'item statistics', 'verbose_name_plural': 'item statistics'},
        ),
        migrations.AlterModelOptions(
            name='relatedpeople',
            options={'verbose_name': 'related people', 'verbose_name_plural': 'related people'},
        ),
    ]
