"""How a tenant counts impressions and what comes of them."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_origins_and_warnings'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='attribution_hours',
            field=models.PositiveSmallIntegerField(default=168, help_text='How long after an impression a click or a conversion counts for it, in hours.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2160)]),
        ),
        migrations.AddField(
            model_name='tenant',
            name='conversion_types',
            field=models.CharField(default='purchase', help_text='Event types that are conversions, with spaces between. Clicks are events of the type click.', max_length=200, validators=[django.core.validators.RegexValidator('^[a-z0-9_.:-]+( [a-z0-9_.:-]+)*$', 'Event types, with single spaces between.')]),
        ),
        migrations.AddField(
            model_name='tenant',
            name='impressions',
            field=models.CharField(choices=[('implied', 'Every page that is served'), ('explicit', 'Events of the type impression')], default='implied', help_text='What counts as shown. Effective in 5 seconds.', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(('attribution_hours__gte', 1)), name='attribution_at_least_an_hour'),
        ),
    ]
