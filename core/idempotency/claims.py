"""Claiming a key, storing the answer with the effect, giving the key back.

At most one run of a key takes effect, whatever clocks and leases say: the token of the run that holds the key is
checked by `complete`, inside the effect's transaction. A lease only decides when a second run may begin.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from core.idempotency.models import IdempotencyKey

KEY_LIFETIME = timedelta(hours=24)
# The wait for a request with the same key that stores its answer right now.
WAIT_SECONDS = 1.0
_WAIT = "SELECT set_config('lock_timeout', %s, true)"
Scope = Callable[..., AbstractContextManager[None]]


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
_COMPLETE = """
    UPDATE core_idempotencykey
    SET state = 'done', status = %(status)s, headers = %(headers)s::jsonb, body = %(body)s, read_scope = %(read_scope)s
    WHERE tenant_id = %(tenant_id)s AND id = %(row)s AND token = %(token)s AND state = 'in_flight'
"""


@dataclass(frozen=True, slots=True)
class _Request:
    tenant_id: int
    client_id: str
    key: str
    fingerprint: bytes
    now: datetime

    def parameters(self, token: uuid.UUID) -> dict[str, Any]:
        """Of `_CLAIM`."""
        return {
            "tenant_id": self.tenant_id,
            "client_id": self.client_id,
            "key": self.key,
            "fingerprint": self.fingerprint,
            "token": token,
            "locked_until": self.now + timedelta(seconds=settings.API_DEADLINE_SECONDS),
            "now": self.now,
            "expires_at": self.now + KEY_LIFETIME,
        }

    def found(self) -> ClaimResult:
        """The row that kept the key from being claimed. ON CONFLICT DO UPDATE has locked it: it cannot go away."""
        held = IdempotencyKey.objects.get(tenant_id=self.tenant_id, client_id=self.client_id, key=self.key)
        return _outcome(held, fingerprint=self.fingerprint, now=self.now)


def claim(*, scope: Scope, tenant_id: int, client_id: str, key: str, fingerprint: bytes, now: datetime) -> ClaimResult:
    """Claims the key for one run, or returns why not. Commits: call it outside any transaction.

    The lease lasts as long as a request may (API_DEADLINE_SECONDS), the key 24 hours from its claim.
    """
    token, request = uuid.uuid4(), _Request(tenant_id, client_id, key, fingerprint, now)
    with scope():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, request.parameters(token))
            taken = cursor.fetchone()
        if taken is not None:
            return Claimed(Claim(tenant_id, taken[0], token))
        return request.found()


class ClaimWithin:
    """The claim of a key in the transaction of the effect: no lease, since the key goes with the transaction.

    A second request with the key waits for the first one's transaction, for WAIT_SECONDS at most.
    """

    def __init__(self, *, tenant_id: int, client_id: str, key: str, fingerprint: bytes, now: datetime) -> None:
        self._request = _Request(tenant_id, client_id, key, fingerprint, now)
        self._token = uuid.uuid4()
        self._cursor: Any = None

    def send(self) -> None:
        """Sends the statements; `outcome` reads their result. Both belong into the transaction of the effect."""
        with connection.cursor() as cursor:
            cursor.execute(_WAIT, [f"{WAIT_SECONDS * 1000:.0f}"])
        self._cursor = connection.cursor()
        self._cursor.execute(_CLAIM, self._request.parameters(self._token))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")

    def outcome(self) -> ClaimResult:
        """Claimed, or why not: then the transaction must be rolled back."""
        with self._cursor as cursor:
            taken = cursor.fetchone()
        if taken is not None:
            return Claimed(Claim(self._request.tenant_id, taken[0], self._token))
        return self._request.found()


def look_up(
    *, scope: Scope, tenant_id: int, client_id: str, key: str, fingerprint: bytes, now: datetime
) -> ClaimResult | None:
    """The result that a claim of the key would have, if it is in use; None if it could be claimed."""
    request = _Request(tenant_id, client_id, key, fingerprint, now)
    with scope():
        held = IdempotencyKey.objects.filter(tenant_id=tenant_id, client_id=client_id, key=key, expires_at__gt=now)
        dead = Q(state=IdempotencyKey.State.IN_FLIGHT, locked_until__lte=now)
        return request.found() if held.exclude(dead).exists() else None


def complete(claim: Claim, *, answer: StoredAnswer) -> None:
    """Stores the answer. Call it in the transaction of the effect, within the same scope.

    Raises: ClaimLost, which must roll that transaction back. RuntimeError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("complete() belongs into the transaction of the effect: both are committed or neither is.")
    with connection.cursor() as cursor:
        cursor.execute(
            _COMPLETE,
            {
                "tenant_id": claim.tenant_id,
                "row": claim.row,
                "token": claim.token,
                "status": answer.status,
                "headers": json.dumps(dict(answer.headers)),
                "body": answer.body,
                "read_scope": answer.read_scope,
            },
        )
        done = cursor.rowcount
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
