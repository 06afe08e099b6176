"""Publishes an event to a tenant's endpoints, in the event's own transaction."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from core.queue import enqueue
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.task_names import DELIVER


def emit(*, tenant_id: int, type: str, data: Mapping[str, Any], now: datetime) -> int:  # noqa: A002  # as in the body
    """Writes one delivery for each active endpoint that subscribes to the type; returns how many.

    Call it in the transaction and scope of the event: both are committed or neither. Delivery begins after the commit.
    `type` is one of WEBHOOK_EVENTS. Put no user's data into `data`: messages are kept for WEBHOOK_LOG_DAYS, and a sent
    message cannot be recalled.
    Raises: ValueError for an unknown type: a bug.
    """
    if type not in settings.WEBHOOK_EVENTS:
        raise ValueError(f"{type} is not one of WEBHOOK_EVENTS")
    message = f"msg_{secrets.token_hex(12)}"
    body = json.dumps(
        {"type": type, "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    listeners = WebhookEndpoint.objects.filter(tenant_id=tenant_id, active=True, events__contains=[type])
    return len([_write(endpoint, message, type, body, now) for endpoint in listeners])


def send_to(endpoint: WebhookEndpoint, *, type: str, data: Mapping[str, Any], now: datetime) -> WebhookDelivery:  # noqa: A002
    """Writes a delivery to one endpoint, whatever it subscribes to: for testing it."""
    body = json.dumps({"type": type, "timestamp": now.astimezone(UTC).isoformat(), "data": data})
    return _write(endpoint, f"msg_{secrets.token_hex(12)}", type, body, now)


def _write(endpoint: WebhookEndpoint, message: str, kind: str, body: str, now: datetime) -> WebhookDelivery:
    delivery = WebhookDelivery.objects.create(
        tenant_id=endpoint.tenant_id,
        endpoint=endpoint,
        message_id=message,
        type=kind,
        body=body,
        created_at=now,
        due_at=now,
    )
    enqueue(DELIVER, tenant_id=endpoint.tenant_id, delivery_id=delivery.pk)
    return delivery
