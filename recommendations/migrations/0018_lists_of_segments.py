"""Lists of what is popular in a segment."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recommendations', '0017_fresh_items'),
    ]

    operations = [
        migrations.AlterField(
            model_name='referencelist',
            name='kind',
            field=models.CharField(choices=[('similar', 'Similar items'), ('together', 'Bought together'), ('popular', 'Popular'), ('trending', 'Trending'), ('segment', 'Popular in a segment')], max_length=16),
        ),
    ]
