"""Money and tokens are reserved before a call and settled after it, in PostgreSQL; it fails closed.

1. Reserve the most that the call can cost: one conditional UPDATE for each cap, in fixed order, in one transaction
   that ends before the call. PostgreSQL checks the condition again under the row's lock, so no number of callers
   together takes more than there is.
2. Settle the actual spending together with the ledger row, or release the reservation.
3. Release the reservations of dead processes once they expire: periodically, or before a call is refused.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import F

from accounts.tenancy import scope
from recommendations.ai.budget.alerts import BudgetAlert, publish_alert
from recommendations.ai.budget.caps import Cap, CapName, caps_for_call
from recommendations.ai.models import AICall, AIReservation
from recommendations.ai.money import Amount, BudgetLimits

SOFT_SHARE = 0.8
GRACE_SECONDS = 30.0
"""A reservation outlives its call's deadline by this; a process that was stopped for longer settles all the same."""


class BudgetExhausted(Exception):
    """A cap has no room for the call."""

    def __init__(self, cap: CapName) -> None:
        super().__init__(f"the budget {cap} has no room for this call")
        self.cap: CapName = cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The amount that one call has reserved of its caps."""

    id: uuid.UUID
    tenant_id: int
    day: date
    amount: Amount


class Budget:
    """The caps of all tenants under the deployment's limits. Safe among threads and processes."""

    def __init__(self, *, limits: BudgetLimits, hooks: Sequence[Callable[[BudgetAlert], None]] = ()) -> None:
        self.limits = limits
        self._hooks = hooks

    def reserve(self, *, tenant_id: int, amount: Amount, now: datetime, deadline_seconds: float) -> Reservation:
        """Reserve `amount` of every cap until it is settled, released, or a little beyond the deadline.

        Raises:
            BudgetExhausted: a cap has no room; nothing is reserved.
            RuntimeError: a transaction is open: it would lock the rows and hide the reservation from other processes.
        """
        expires_at = now + timedelta(seconds=deadline_seconds + GRACE_SECONDS)
        try:
            return self._reserve(tenant_id, amount, now, expires_at)
        except BudgetExhausted as refusal:
            if not release_expired(limits=self.limits, now=now):
                self._alert_exhausted(tenant_id, amount, refusal.cap, now)
                raise
        return self._reserve(tenant_id, amount, now, expires_at)

    def settle(self, reservation: Reservation, *, spent: Amount, call: AICall) -> None:
        """Replace the reservation by the actual spending and write the ledger row, in one transaction."""
        self.settle_batch(reservation, spent=spent, calls=[call], now=call.at)

    def settle_batch(
        self,
        reservation: Reservation,
        *,
        spent: Amount,
        calls: Sequence[AICall],
        now: datetime,
        close: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Settle a batch's calls and run `close` in one transaction; where it returns False, do nothing."""
        alerts: list[BudgetAlert] = []
        with transaction.atomic(durable=True), scope.tenant(reservation.tenant_id):
            if not close():
                return False
            reserved = _delete(reservation)
            for cap in caps_for_call(tenant_id=reservation.tenant_id, day=reservation.day, limits=self.limits):
                cap.rows.update(
                    reserved_tokens=F("reserved_tokens") - reserved.tokens,
                    reserved_nano_usd=F("reserved_nano_usd") - reserved.nano_usd,
                    spent_tokens=F("spent_tokens") + spent.tokens,
                    spent_nano_usd=F("spent_nano_usd") + spent.nano_usd,
                )
                near = cap.rows.filter(cap.spent_at_least(SOFT_SHARE, more=Amount()), warned_at__isnull=True)
                if near.update(warned_at=now):
                    alerts.append(_alert("soft", cap))
                    publish_alert(alerts[-1], now=now)
            AICall.objects.bulk_create(calls, batch_size=500)
        self._notify(alerts)
        return True

    def release(self, reservation: Reservation) -> bool:
        """Release the reservation: nothing was spent. Return False if it was settled or had expired."""
        return _release(reservation, self.limits)

    def _reserve(self, tenant_id: int, amount: Amount, now: datetime, expires_at: datetime) -> Reservation:
        day = now.astimezone(UTC).date()
        with transaction.atomic(durable=True), scope.tenant(tenant_id):
            for cap in caps_for_call(tenant_id=tenant_id, day=day, limits=self.limits):
                if not _reserve_from(cap, amount):
                    raise BudgetExhausted(cap.name)
            row = AIReservation.objects.create(
                tenant_id=tenant_id, day=day, tokens=amount.tokens, nano_usd=amount.nano_usd, expires_at=expires_at
            )
        return Reservation(id=row.pk, tenant_id=tenant_id, day=day, amount=amount)

    def _alert_exhausted(self, tenant_id: int, amount: Amount, name: CapName, now: datetime) -> None:
        """Alert where the cap is spent, not merely reserved by calls in progress."""
        day = now.astimezone(UTC).date()
        alerts = []
        with transaction.atomic(durable=True), scope.tenant(tenant_id):
            for cap in caps_for_call(tenant_id=tenant_id, day=day, limits=self.limits):
                if cap.name != name:
                    continue
                cap.create()
                beyond = Amount(tokens=amount.tokens - 1, nano_usd=amount.nano_usd - 1)
                full = cap.rows.filter(cap.spent_at_least(1.0, more=beyond), exhausted_at__isnull=True)
                if full.update(exhausted_at=now):
                    alerts.append(_alert("hard", cap))
                    publish_alert(alerts[-1], now=now)
        self._notify(alerts)

    def _notify(self, alerts: Sequence[BudgetAlert]) -> None:
        for alert in alerts:
            for hook in self._hooks:
                hook(alert)


def release_expired(*, limits: BudgetLimits, now: datetime) -> int:
    """Release the reservations of dead processes; return their number. Safe to run at any time."""
    with scope.all_tenants("AI reservations that have expired"):
        rows = list(AIReservation.objects.filter(expires_at__lte=now).order_by("expires_at")[:1000])
    return sum(
        _release(
            Reservation(
                id=row.pk,
                tenant_id=row.tenant_id,
                day=row.day,
                amount=Amount(tokens=row.tokens, nano_usd=row.nano_usd),
            ),
            limits,
        )
        for row in rows
    )


def _reserve_from(cap: Cap, amount: Amount) -> bool:
    def update() -> int:
        return cap.rows.filter(cap.room_for(amount)).update(
            reserved_tokens=F("reserved_tokens") + amount.tokens,
            reserved_nano_usd=F("reserved_nano_usd") + amount.nano_usd,
        )

    if update():
        return True
    if not cap.rows.exists():
        cap.create()
    # Retry in any case: another caller may have created the row since the first attempt.
    return bool(update())


def _release(reservation: Reservation, limits: BudgetLimits) -> bool:
    with transaction.atomic(durable=True), scope.tenant(reservation.tenant_id):
        reserved = _delete(reservation)
        if reserved == Amount():
            return False
        for cap in caps_for_call(tenant_id=reservation.tenant_id, day=reservation.day, limits=limits):
            cap.rows.update(
                reserved_tokens=F("reserved_tokens") - reserved.tokens,
                reserved_nano_usd=F("reserved_nano_usd") - reserved.nano_usd,
            )
    return True


def _delete(reservation: Reservation) -> Amount:
    """Return the reserved amount, or nothing where the reservation was released before."""
    deleted, _ = AIReservation.objects.filter(tenant_id=reservation.tenant_id, pk=reservation.id).delete()
    return reservation.amount if deleted else Amount()


def _alert(level: Literal["soft", "hard"], cap: Cap) -> BudgetAlert:
    row = cap.rows.get()
    return BudgetAlert(
        level=level,
        cap=cap.name,
        tenant_id=cap.key.get("tenant_id"),
        starts_on=row.starts_on,
        spent=Amount(tokens=row.spent_tokens, nano_usd=row.spent_nano_usd),
        limit=cap.limit,
    )
