"""Validation of `Tenant.allowed_origins`."""

from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError

from core import origins

MOST = 50


def validate_origins(listed: Sequence[str]) -> None:
    """Production takes exact https origins elsewhere; development also plain HTTP and local ones.

    Raises: ValidationError that names each origin that may not stand there, and why.
    """
    wrong = [
        f"{origin}: {reason}."
        for origin in listed
        if (reason := origins.refusal_reason(origin, production=settings.PRODUCTION))
    ]
    if len(listed) > MOST:
        wrong.append(f"{len(listed)} origins are too many; at most {MOST}.")
    if len(set(listed)) < len(listed):
        wrong.append("An origin is listed twice.")
    if wrong:
        raise ValidationError(wrong)
