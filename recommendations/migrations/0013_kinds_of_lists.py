"""Lists of items bought together, and trending ones."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('recommendations', '0012_placement_versions')]

    operations = [
        migrations.AlterField(
            model_name='referencelist',
            name='kind',
            field=models.CharField(choices=[('similar', 'Similar items'), ('together', 'Bought together'), ('popular', 'Popular'), ('trending', 'Trending')], max_length=16),
        ),
    ]
