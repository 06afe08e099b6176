"""Every model of core, gathered where Django looks for them."""

from core.idempotency.models import IdempotencyKey

__all__ = ["IdempotencyKey"]
