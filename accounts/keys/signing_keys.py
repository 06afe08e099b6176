"""The ring of signing keys in Postgres: read, begin, rotate, retire. Every change takes one lock, so two are one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from accounts.keys import encryption, jwks
from accounts.keys.jwks import Ring, RingKey
from accounts.models import SigningKey
from core.errors import Conflict

# Every process has read a change by then (PROCESS_REFRESH_SECONDS is at most 5).
AT_ONCE = timedelta(seconds=10)
RETIRED_KEPT = timedelta(days=30)
_LOCK = 0x4A574B53
_log = structlog.get_logger(__name__)


class RotationPending(Conflict):
    """A rotation has begun already: its key is published and does not sign yet."""

    code = "rotation_pending"
    title = "A rotation is under way"


def read() -> Ring:
    """The ring as it stands; an empty one is begun, so that there always is a key that signs.

    Raises: ValueError when a first key is to be made, and KEY_ENCRYPTION_KEYS or JWT_PRIVATE_KEY is not good for it.
    """
    rows = list(SigningKey.objects.all())
    if not rows:
        with _alone():
            rows = list(SigningKey.objects.all()) or [_begin()]
    return Ring({row.kid: _value(row) for row in rows})


def rotate(*, now: datetime) -> SigningKey:
    """Publishes a new key, which signs after JWT_PUBLISH_SECONDS; the present one is accepted an hour longer.

    Raises: RotationPending.
    """
    with _alone():
        if SigningKey.objects.filter(signs_from__gt=now).exists():
            raise RotationPending("The next key is published and does not sign yet; wait until it does.")
        fresh = _create(jwks.generate(settings.JWT_ALGORITHM), now, timedelta(seconds=settings.JWT_PUBLISH_SECONDS))
        last = timedelta(seconds=jwks.LONGEST_TOKEN_SECONDS + jwks.SKEW_SECONDS)
        others = SigningKey.objects.exclude(pk=fresh.pk).filter(accepted_until=None)
        others.update(accepted_until=fresh.signs_from + last)
    _log.info("signing_key_rotated", kid=fresh.kid, signs_from=fresh.signs_from.isoformat())
    return fresh


def replace_compromised(*, now: datetime) -> SigningKey:
    """Makes a new key sign in 10 seconds, and refuses from then on everything that any other key has signed."""
    with _alone():
        SigningKey.objects.filter(signs_from__gt=now).delete()
        fresh = _create(jwks.generate(settings.JWT_ALGORITHM), now, AT_ONCE)
        others = SigningKey.objects.exclude(pk=fresh.pk)
        others.filter(Q(accepted_until=None) | Q(accepted_until__gt=fresh.signs_from)).update(
            accepted_until=fresh.signs_from
        )
    _log.warning("signing_keys_replaced", kid=fresh.kid, signs_from=fresh.signs_from.isoformat())
    return fresh


def tend(*, now: datetime) -> bool:
    """What is due: private halves that no longer sign go, retired keys go after 30 days, an old key is rotated.

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


def reseal() -> int:
    """Seals every private key with the first of KEY_ENCRYPTION_KEYS; returns how many there are.

    Raises: accounts.keys.encryption.CannotOpen, and then nothing has changed.
    """
    with _alone():
        rows = list(SigningKey.objects.exclude(private_sealed=""))
        for row in rows:
            row.private_sealed = encryption.seal(encryption.unseal(row.private_sealed))
            row.save(update_fields=["private_sealed"])
    return len(rows)


def _begun(now: datetime) -> list[SigningKey]:
    """The keys whose time to sign has come, the current one first; one host's clock may be a little behind."""
    since = now - timedelta(seconds=jwks.SKEW_SECONDS)
    return list(SigningKey.objects.filter(signs_from__lte=since).order_by("-signs_from"))


def _begin() -> SigningKey:
    """The first key: nobody has a copy of an empty set, so it signs at once. JWT_PRIVATE_KEY, where it is set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    given = settings.JWT_PRIVATE_KEY
    key = jwks.read_private(given) if given else jwks.generate(settings.JWT_ALGORITHM)
    # Hosts' clocks differ from the database's: each of them shall find it begun.
    return _create(key, now, -timedelta(seconds=jwks.SKEW_SECONDS))


def _create(key: jwks.PrivateKey, now: datetime, wait: timedelta) -> SigningKey:
    public = key.public_key()
    return SigningKey.objects.create(
        kid=jwks.thumbprint(jwks.members(public)),
        algorithm=jwks.algorithm_of(public),
        public_pem=jwks.write_public(public),
        private_sealed=encryption.seal(jwks.write_private(key)),
        created_at=now,
        signs_from=now + wait,
    )


def _value(row: SigningKey) -> RingKey:
    return RingKey(
        kid=row.kid,
        algorithm=row.algorithm,
        public=jwks.read_public(row.public_pem),
        signs_from=row.signs_from.timestamp(),
        accepted_until=row.accepted_until.timestamp() if row.accepted_until else None,
        sealed=row.private_sealed,
    )


@contextmanager
def _alone() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield
