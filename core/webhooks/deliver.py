"""Delivery of messages: claimed by one conditional UPDATE, sent outside any transaction, recorded afterwards.

A message is tried at once and then after PAUSES, two and a half days in all. At least once: a process that dies after
the receiver has answered leaves the message to be sent again, with the same `webhook-id`, by which receivers know it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import F

from core.queue import enqueue
from core.webhooks import http, signatures
from core.webhooks.http import DeliveryResult
from core.webhooks.metrics import WEBHOOK_ATTEMPTS
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.signatures import SecretUnreadable
from core.webhooks.task_names import DELIVER

PAUSES = tuple(timedelta(seconds=each) for each in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000))
LEASE = timedelta(minutes=2)
SWEPT_AT_ONCE = 500
GONE = 410
Scope = Callable[[], AbstractContextManager[None]]
State = WebhookDelivery.State
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this process holds until its lease ends."""

    delivery_id: int
    endpoint_id: int
    url: str
    message_id: str
    body: str
    secrets: tuple[str, ...]
    attempt: int


def deliver(*, scope: Scope, delivery_id: int, now: datetime) -> bool:
    """Attempts a due delivery; returns false if it is not due, or another process holds it. `scope` is the tenant's."""
    with scope():
        claim = _claim(delivery_id, now)
    if claim is None:
        return False
    result = _attempt(claim, now)
    with scope():
        _record(claim, result, now)
    return True


def sweep(*, scope: Scope, now: datetime) -> int:
    """Enqueues all tenants' due deliveries again, and deletes old ones; returns how many are due."""
    with scope():
        due = WebhookDelivery.objects.filter(state=State.PENDING, due_at__lte=now).order_by("due_at")
        rows = list(due.values_list("tenant_id", "pk")[:SWEPT_AT_ONCE])
        old = WebhookDelivery.objects.filter(created_at__lt=now - timedelta(days=settings.WEBHOOK_LOG_DAYS))
        old.exclude(state=State.PENDING).delete()
    for tenant_id, delivery_id in rows:
        enqueue(DELIVER, tenant_id=tenant_id, delivery_id=delivery_id)
    return len(rows)


def _claim(delivery_id: int, now: datetime) -> ClaimedDelivery | None:
    due = WebhookDelivery.objects.filter(pk=delivery_id, state=State.PENDING, due_at__lte=now)
    if not due.update(due_at=now + LEASE, attempts=F("attempts") + 1):
        return None
    delivery = WebhookDelivery.objects.select_related("endpoint").get(pk=delivery_id)
    endpoint = delivery.endpoint
    if not endpoint.active:
        _give_up(delivery, "the webhook is switched off", now)
        return None
    if delivery.attempts > len(PAUSES) + 1:
        # Attempts that were never noted: each of their processes died, or failed in a way that nobody foresaw.
        _give_up(delivery, "given up: its attempts ended without a result", now)
        return None
    sealed = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now:
        sealed.append(endpoint.previous_secret)
    return ClaimedDelivery(
        delivery.pk,
        endpoint.pk,
        endpoint.url,
        delivery.message_id,
        delivery.body,
        tuple(sealed),
        delivery.attempts,
    )


def _give_up(delivery: WebhookDelivery, why: str, now: datetime) -> None:
    delivery.state, delivery.due_at = State.FAILED, None
    delivery.log = [*delivery.log, _log_entry(now, DeliveryResult(None, why, 0))]
    delivery.save(update_fields=["state", "due_at", "log"])


def _attempt(claim: ClaimedDelivery, now: datetime) -> DeliveryResult:
    try:
        secrets = [signatures.decrypt_secret(secret) for secret in claim.secrets]
    except SecretUnreadable as error:
        return DeliveryResult(None, str(error), 0)
    signed = signatures.signed_headers(message_id=claim.message_id, sent_at=now, body=claim.body, with_secrets=secrets)
    headers = {"Content-Type": "application/json", "User-Agent": "Docent-Webhooks/1", **signed}
    return http.post(claim.url, body=claim.body.encode(), headers=headers)


def _record(claim: ClaimedDelivery, result: DeliveryResult, now: datetime) -> None:
    delivery = WebhookDelivery.objects.select_for_update().filter(pk=claim.delivery_id, state=State.PENDING).first()
    if delivery is None:
        return  # taken away meanwhile, or another attempt has arrived
    delivery.log = [*delivery.log, _log_entry(now, result)]
    if result.delivered:
        delivery.state, delivery.due_at, delivery.delivered_at = State.DELIVERED, None, now
    elif result.status == GONE:
        delivery.state, delivery.due_at = State.FAILED, None
        WebhookEndpoint.objects.filter(pk=claim.endpoint_id).update(active=False, stopped="It answered 410 Gone.")
    elif claim.attempt > len(PAUSES):
        delivery.state, delivery.due_at = State.FAILED, None
    else:
        delivery.due_at = now + PAUSES[claim.attempt - 1]
    delivery.save(update_fields=["log", "state", "due_at", "delivered_at"])
    WEBHOOK_ATTEMPTS.labels("delivered" if result.delivered else "failed").inc()
    if not result.delivered:
        _log.warning("webhook_not_delivered", message_id=claim.message_id, status=result.status, error=result.error)


def _log_entry(now: datetime, result: DeliveryResult) -> dict[str, object]:
    return {"at": now.isoformat(), "status": result.status, "error": result.error, "ms": result.milliseconds}
