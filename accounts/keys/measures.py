"""A measure of signing keys: the age of the one that signs."""

from collections.abc import Iterator
from datetime import datetime

from accounts.metrics import SIGNING_KEY_AGE
from accounts.models import SigningKey
from core.metrics.families import Value


def measure(*, now: datetime) -> Iterator[Value]:
    """Yields the time for which the current key has been signing."""
    signing = SigningKey.objects.filter(signs_from__lte=now, accepted_until=None).order_by("-signs_from")
    if (key := signing.first()) is not None:
        yield SIGNING_KEY_AGE, (), (now - key.signs_from).total_seconds()
