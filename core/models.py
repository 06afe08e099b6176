"""Every model of core, gathered where Django looks for them."""

from core.idempotency.models import IdempotencyKey
from core.series.models import MetricBatch, MetricMinute, MetricSeries
from core.webhooks.models import WebhookDelivery, WebhookEndpoint

__all__ = ["IdempotencyKey", "MetricBatch", "MetricMinute", "MetricSeries", "WebhookDelivery", "WebhookEndpoint"]
