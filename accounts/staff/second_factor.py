"""Staff's second factor: an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

django-otp stores the devices: each code works once, and failures slow down further attempts. Only digests of recovery
codes are stored.
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
# 2^9 s: the wait between two attempts grows to some minutes, and no further. An attacker who knows the password must
# not be able to lock its owner out for good.
_MOST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """Result of a code: the device that accepted it, if any, and the seconds until the next attempt is allowed."""

    device: Any = None
    wait_seconds: int = 0
    recovery: bool = False


def get_device(user: Any) -> TOTPDevice | None:
    """Returns the account's authenticator app, or None."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).order_by("-pk").first()
    return found


def is_required(user: Any) -> bool:
    """Returns true if STAFF_TOTP requires a second factor of the account."""
    return settings.STAFF_TOTP == ALL or (settings.STAFF_TOTP == SUPERUSERS and bool(user.is_superuser))


def begin(user: User) -> TOTPDevice:
    """Returns the device being set up, the same at each call until it is confirmed by its first code."""
    pending = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()
    return pending or TOTPDevice.objects.create(user=user, name="Authenticator app", confirmed=False)


def confirm(user: User, code: str, *, now: datetime) -> list[str]:
    """Activates the device instead of any earlier one, and returns new recovery codes; none for a wrong code."""
    with transaction.atomic():
        pending = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).order_by("-pk").first()
        if pending is None or not _check(pending, _plain(code), now).device:
            return []
        TOTPDevice.objects.filter(user=user).exclude(pk=pending.pk).delete()
        pending.confirmed = True
        pending.save(update_fields=["confirmed"])
        return new_codes(user)


def new_codes(user: User) -> list[str]:
    """Replaces all recovery codes. Each works once, and they cannot be shown again."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="Recovery codes", confirmed=True)
        StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(code)) for code in codes)
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


def codes_left(user: Any) -> int:
    """Counts the recovery codes that are left."""
    return int(StaticToken.objects.filter(device__user_id=user.pk).count())


def verify(user: Any, code: str, *, now: datetime) -> CodeCheck:
    """Checks a code of the authenticator app, or a recovery code."""
    plain = _plain(code)
    with transaction.atomic():
        if plain.isdecimal() and len(plain) == 6:
            app = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).order_by("-pk").first()
            return _check(app, plain, now) if app is not None else CodeCheck()
        recovery_device = StaticDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
        check = _check(recovery_device, _digest(plain), now) if recovery_device is not None else CodeCheck()
        return CodeCheck(check.device, check.wait_seconds, recovery=check.device is not None)


def reset(user: User) -> int:
    """Removes the account's devices and codes, for a lost device. Returns how many devices there were."""
    with transaction.atomic():
        gone = TOTPDevice.objects.filter(user=user, confirmed=True).count()
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    return int(gone)


def _check(device: Any, token: str, now: datetime) -> CodeCheck:
    """Checks a token against the locked device, unless it is throttled."""
    device.throttling_failure_count = min(device.throttling_failure_count, _MOST_FAILURES)
    allowed, why = device.verify_is_allowed()
    if not allowed:
        until = (why or {}).get("locked_until")
        return CodeCheck(wait_seconds=max(1, ceil((until - now).total_seconds())) if until else 1)
    return CodeCheck(device) if device.verify_token(token) else CodeCheck()


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isascii() and letter.isalnum())[:64]


def _digest(code: str) -> str:
    """Returns 96 bits of the digest, as many as the library's column holds. The code has 80 random bits."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"recovery code:{code}".encode()).digest()).decode()[:16]
