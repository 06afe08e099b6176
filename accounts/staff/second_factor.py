"""Staff's second factor: an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

django-otp keeps the devices: each code counts once, and failures are answered ever more slowly. Of recovery codes only
digests are kept.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from django.conf import settings
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User

OFF, SUPERUSERS, ALL = "off", "superusers", "all"
CODES = 10
# 2^9 s: the wait between two tries grows to some minutes, and no further. Whoever knows a password must not be able to
# keep its owner out for good.
_MOST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a code: the device that took it, or none, and in how many seconds the next one is looked at."""

    device: Any = None
    wait_seconds: int = 0
    recovery: bool = False


def device_of(user: Any) -> TOTPDevice | None:
    """The app that the account uses, or none."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).order_by("-pk").first()
    return found


def is_required(user: Any) -> bool:
    """Whether STAFF_TOTP wants the account to have one."""
    return settings.STAFF_TOTP == ALL or (settings.STAFF_TOTP == SUPERUSERS and bool(user.is_superuser))


def begin(user: User) -> TOTPDevice:
    """The device that is being set up: it counts once a code of its own was given. The same at each call until then."""
    pending = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()
    return pending or TOTPDevice.objects.create(user=user, name="Authenticator app", confirmed=False)


def confirm(user: User, code: str, *, now: datetime) -> list[str]:
    """Takes the device into use, in place of any before it, and returns new recovery codes; none where it is wrong."""
    with transaction.atomic():
        pending = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).order_by("-pk").first()
        if pending is None or not _taken(pending, _plain(code), now).device:
            return []
        TOTPDevice.objects.filter(user=user).exclude(pk=pending.pk).delete()
        pending.confirmed = True
        pending.save(update_fields=["confirmed"])
        return new_codes(user)


def new_codes(user: User) -> list[str]:
    """Recovery codes in place of all earlier ones. Each counts once; nobody can show them again."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="Recovery codes", confirmed=True)
        StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(code)) for code in codes)
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


def codes_left(user: Any) -> int:
    """How many recovery codes have not been used."""
    return int(StaticToken.objects.filter(device__user_id=user.pk).count())


def verify(user: Any, code: str, *, now: datetime) -> Verdict:
    """Whether the code is the app's present one, or a recovery code."""
    plain = _plain(code)
    with transaction.atomic():
        if plain.isdecimal() and len(plain) == 6:
            app = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).order_by("-pk").first()
            return _taken(app, plain, now) if app is not None else Verdict()
        kept = StaticDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
        found = _taken(kept, _digest(plain), now) if kept is not None else Verdict()
        return Verdict(found.device, found.wait_seconds, recovery=found.device is not None)


def reset(user: User) -> int:
    """Takes the account's devices and codes away, for a device that was lost. Returns how many devices there were."""
    with transaction.atomic():
        gone = TOTPDevice.objects.filter(user=user, confirmed=True).count()
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    return int(gone)


def _taken(device: Any, token: str, now: datetime) -> Verdict:
    """Asks the locked device, unless it must not be asked yet."""
    device.throttling_failure_count = min(device.throttling_failure_count, _MOST_FAILURES)
    allowed, why = device.verify_is_allowed()
    if not allowed:
        until = (why or {}).get("locked_until")
        return Verdict(wait_seconds=max(1, ceil((until - now).total_seconds())) if until else 1)
    return Verdict(device) if device.verify_token(token) else Verdict()


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isascii() and letter.isalnum())[:64]


def _digest(code: str) -> str:
    """96 of 256 bits: all that the library's column holds. The code itself has 80, all of them random."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"recovery code:{code}".encode()).digest()).decode()[:16]
