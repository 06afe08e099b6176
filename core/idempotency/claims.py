"""Claiming a key, storing the answer with the effect, giving the key back.

At most one run of a key takes effect, whatever clocks and leases say: the token of the run that holds the key is
checked by `complete`, inside the effect's transaction. A lease only decides when a second run may begin.
"""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import connection

from core.idempotency.models import IdempotencyKey

KEY_LIFETIME = timedelta(hours=24)
Scope = Callable[[], AbstractContextManager[None]]


class ClaimLost(Exception):
    """Another run has taken the key over: this one must not take effect."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that this run holds. The token is the proof."""

    tenant_id: int
    row: int
    token: uuid.UUID


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A stored answer: status, the headers that belong to it, the exact bytes of its body.

    With a `read_scope` it shows what was stored before, to tokens that carry that scope.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    read_scope: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key is unused, or its run is dead: run now."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Replay:
    """The request has taken effect before; this is its stored answer."""

    answer: StoredAnswer


@dataclass(frozen=True, slots=True)
class Running:
    """The same request is being served right now."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key belongs to another request."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The request has taken effect before; its answer named a user who was erased since."""


ClaimResult = Claimed | Replay | Running | Mismatch | Erased

# A row whose lease has run out is only taken over by the same request: the key of a crashed one is still its own.
_CLAIM = """
    INSERT INTO core_idempotencykey AS held
        (tenant_id, client_id, key, fingerprint, state, token, locked_until, headers, created_at, expires_at)
    VALUES (%(tenant_id)s, %(client_id)s, %(key)s, %(fingerprint)s, 'in_flight', %(token)s, %(locked_until)s, '{}',
        %(now)s, %(expires_at)s)
    ON CONFLICT (tenant_id, client_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, state = excluded.state, token = excluded.token,
        locked_until = excluded.locked_until, status = NULL, headers = '{}', body = NULL, read_scope = '',
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE held.expires_at <= excluded.created_at
        OR (held.state = 'in_flight' AND held.locked_until <= excluded.created_at
            AND held.fingerprint = excluded.fingerprint)
    RETURNING id
"""


def claim(*, scope: Scope, tenant_id: int, client_id: str, key: str, fingerprint: bytes, now: datetime) -> ClaimResult:
    """Claims the key for one run, or returns why not. Commits: call it outside any transaction.

    The lease lasts as long as a request may (API_DEADLINE_SECONDS), the key 24 hours from its claim.
    """
    token = uuid.uuid4()
    with scope():
        with connection.cursor() as cursor:
            cursor.execute(
                _CLAIM,
                {
                    "tenant_id": tenant_id,
                    "client_id": client_id,
                    "key": key,
                    "fingerprint": fingerprint,
                    "token": token,
                    "locked_until": now + timedelta(seconds=settings.API_DEADLINE_SECONDS),
                    "now": now,
                    "expires_at": now + KEY_LIFETIME,
                },
            )
            taken = cursor.fetchone()
        if taken is not None:
            return Claimed(Claim(tenant_id, taken[0], token))
        # The row cannot go away: ON CONFLICT DO UPDATE has locked it, although its WHERE did not hold.
        held = IdempotencyKey.objects.get(tenant_id=tenant_id, client_id=client_id, key=key)
    return _outcome(held, fingerprint=fingerprint, now=now)


def complete(claim: Claim, *, answer: StoredAnswer) -> None:
    """Stores the answer. Call it in the transaction of the effect, within the same scope.

    Raises: ClaimLost, which must roll that transaction back. RuntimeError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("complete() belongs into the transaction of the effect: both are committed or neither is.")
    held = IdempotencyKey.objects.filter(
        tenant_id=claim.tenant_id, pk=claim.row, token=claim.token, state=IdempotencyKey.State.IN_FLIGHT
    )
    done = held.update(
        state=IdempotencyKey.State.DONE,
        status=answer.status,
        headers=dict(answer.headers),
        body=answer.body,
        read_scope=answer.read_scope,
    )
    if not done:
        raise ClaimLost(f"key {claim.row}")


def release(claim: Claim, *, scope: Scope) -> None:
    """Releases the key after a run that changed nothing. Commits: call it outside any transaction.

    Harmless after `complete`, also where it is not known whether its transaction was committed: a row that is done
    stays, and one whose transaction is still going on is waited for.
    """
    with scope():
        IdempotencyKey.objects.filter(
            tenant_id=claim.tenant_id, pk=claim.row, token=claim.token, state=IdempotencyKey.State.IN_FLIGHT
        ).delete()


def _outcome(held: IdempotencyKey, *, fingerprint: bytes, now: datetime) -> ClaimResult:
    if bytes(held.fingerprint) != fingerprint:
        return Mismatch()
    if held.state == IdempotencyKey.State.ERASED:
        return Erased()
    if held.state == IdempotencyKey.State.IN_FLIGHT or held.status is None or held.body is None:
        return Running(_wait(running=now - held.created_at, left=held.locked_until - now))
    return Replay(StoredAnswer(held.status, held.headers, bytes(held.body), held.read_scope))


def _wait(*, running: timedelta, left: timedelta) -> int:
    """Returns the whole seconds to wait: as long again as the run has taken, at most until its lease ends."""
    return max(1, ceil(min(running, left).total_seconds()))
