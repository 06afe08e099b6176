"""The ring of signing keys in Postgres: load, create, rotate, retire. Every change takes one lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from accounts.keys import jwks
from accounts.keys.jwks import Ring, RingKey
from accounts.models import SigningKey
from core import encryption
from core.errors import Conflict

# Every process has loaded a change by then (PROCESS_REFRESH_SECONDS is at most 5).
AT_ONCE = timedelta(seconds=10)
RETIRED_KEPT = timedelta(days=30)
_LOCK = 0x4A574B53
_log = structlog.get_logger(__name__)


class RotationPending(Conflict):
    """A rotation is in progress: its key is published and does not sign yet."""

    code = "rotation_pending"
    title = "A rotation is under way"


def load_ring() -> Ring:
    """Returns the ring; creates the first key of an empty one, so that there always is a key that signs.

    Raises: ValueError if the first key cannot be created with KEY_ENCRYPTION_KEYS or JWT_PRIVATE_KEY.
    """
    rows = list(SigningKey.objects.all())
    if not rows:
        with _locked():
            rows = list(SigningKey.objects.all()) or [_begin()]
    return Ring({row.kid: _ring_key(row) for row in rows})


def rotate(*, now: datetime) -> SigningKey:
    """Publishes a new key, which signs after JWT_PUBLISH_SECONDS; the current one is accepted an hour longer.

    Raises: RotationPending.
    """
    with _locked():
        if SigningKey.objects.filter(signs_from__gt=now).exists():
            raise RotationPending("The next key is published but does not sign yet; wait until it does.")
        fresh = _create(jwks.generate(settings.JWT_ALGORITHM), now, timedelta(seconds=settings.JWT_PUBLISH_SECONDS))
        last = timedelta(seconds=jwks.LONGEST_TOKEN_SECONDS + jwks.SKEW_SECONDS)
        others = SigningKey.objects.exclude(pk=fresh.pk).filter(accepted_until=None)
        others.update(accepted_until=fresh.signs_from + last)
    _log.info("signing_key_rotated", kid=fresh.kid, signs_from=fresh.signs_from.isoformat())
    return fresh


def replace_compromised(*, now: datetime) -> SigningKey:
    """Makes a new key sign in 10 seconds, and invalidates the tokens of all other keys from then on."""
    with _locked():
        SigningKey.objects.filter(signs_from__gt=now).delete()
        fresh = _create(jwks.generate(settings.JWT_ALGORITHM), now, AT_ONCE)
        others = SigningKey.objects.exclude(pk=fresh.pk)
        others.filter(Q(accepted_until=None) | Q(accepted_until__gt=fresh.signs_from)).update(
            accepted_until=fresh.signs_from
        )
    _log.warning("signing_keys_replaced", kid=fresh.kid, signs_from=fresh.signs_from.isoformat())
    return fresh


def maintain(*, now: datetime) -> bool:
    """Deletes private halves that no longer sign, deletes keys retired 30 days ago, and rotates an old key.

    Returns whether a rotation was begun. Safe to run at any time, and twice at once.
    """
    taken_over = Q(accepted_until__lte=now) | Q(pk__in=[row.pk for row in _begun(now)[1:]])
    SigningKey.objects.filter(taken_over).exclude(private_sealed="").update(private_sealed="")
    SigningKey.objects.filter(accepted_until__lte=now - RETIRED_KEPT).delete()
    begun = _begun(now)
    days = settings.JWT_ROTATE_DAYS
    if not days or not begun or now - begun[0].signs_from < timedelta(days=days):
        return False
    try:
        rotate(now=now)
    except RotationPending:
        return False
    return True


def reencrypt() -> int:
    """Encrypts every private key with the first of KEY_ENCRYPTION_KEYS; returns how many there are.

    Raises: core.encryption.DecryptionFailed, and then nothing has changed.
    """
    ring = encryption.key_ring()
    with _locked():
        rows = list(SigningKey.objects.exclude(private_sealed=""))
        for row in rows:
            row.private_sealed = encryption.encrypt(encryption.decrypt(row.private_sealed, ring), ring)
            row.save(update_fields=["private_sealed"])
    return len(rows)


def _begun(now: datetime) -> list[SigningKey]:
    """Returns the keys that have started to sign, the current one first, allowing for a slow clock."""
    since = now - timedelta(seconds=jwks.SKEW_SECONDS)
    return list(SigningKey.objects.filter(signs_from__lte=since).order_by("-signs_from"))


def _begin() -> SigningKey:
    """Creates the first key, from JWT_PRIVATE_KEY if set. It signs at once: no verifier has cached an empty set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    given = settings.JWT_PRIVATE_KEY
    key = jwks.read_private(given) if given else jwks.generate(settings.JWT_ALGORITHM)
    # Hosts' clocks differ from the database's: the key must be current for each of them.
    return _create(key, now, -timedelta(seconds=jwks.SKEW_SECONDS))


def _create(key: jwks.PrivateKey, now: datetime, wait: timedelta) -> SigningKey:
    public = key.public_key()
    return SigningKey.objects.create(
        kid=jwks.thumbprint(jwks.members(public)),
        algorithm=jwks.algorithm_of(public),
        public_pem=jwks.write_public(public),
        private_sealed=encryption.encrypt(jwks.write_private(key), encryption.key_ring()),
        created_at=now,
        signs_from=now + wait,
    )


def _ring_key(row: SigningKey) -> RingKey:
    return RingKey(
        kid=row.kid,
        algorithm=row.algorithm,
        public=jwks.read_public(row.public_pem),
        signs_from=row.signs_from.timestamp(),
        accepted_until=row.accepted_until.timestamp() if row.accepted_until else None,
        sealed=row.private_sealed,
    )


@contextmanager
def _locked() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield
