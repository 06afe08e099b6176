"""Tables of the built-in time series. They belong to the deployment: no label names a tenant, a user or a path."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class MetricSeries(models.Model):
    """A family with one combination of labels, and the bounds of its histogram."""

    family = models.CharField(max_length=32)
    labels = ArrayField(models.CharField(max_length=100), help_text="Values, in the order of the family's labels.")
    bounds = ArrayField(models.FloatField(), help_text="Upper bounds of the histogram's buckets, in seconds.")

    class Meta:
        verbose_name_plural = "metric series"
        constraints = [models.UniqueConstraint(fields=["family", "labels", "bounds"], name="one_series")]

    def __str__(self) -> str:
        return " ".join([self.family, *self.labels])


class MetricMinute(models.Model):
    """The increase of a series in one minute, over all processes."""

    minute = models.DateTimeField(help_text="Start of the minute.")
    series = models.ForeignKey(MetricSeries, on_delete=models.CASCADE, db_index=False)
    count = models.FloatField(help_text="Number of observations, or the counter's increase.")
    total = models.FloatField(help_text="Sum of the observed values, in seconds.")
    peak = models.FloatField(help_text="Highest value of a gauge.")
    buckets = ArrayField(
        models.IntegerField(), help_text="Observations in each bucket; the last bucket has no upper bound."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["minute", "series"], name="one_row_a_minute")]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} {self.series_id}"


class MetricBatch(models.Model):
    """A batch that was stored: its next delivery changes nothing."""

    id = models.UUIDField(primary_key=True)
    stored_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "metric batches"

    def __str__(self) -> str:
        return str(self.id)
