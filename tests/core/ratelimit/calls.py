"""A call of `check` with what a test does not care about filled in."""

from typing import Any

from core import clock
from core.ratelimit import Decision, Limits, Quota, RateLimit, check, revocation_markers

ACME, GLOBEX = 1, 2
# Long windows: nothing worth a test comes back while it runs.
HUNDRED = RateLimit("read", count=100, window_seconds=86_400, burst=100)


def limits(rate: RateLimit | None = HUNDRED, quota: Quota | None = None) -> Limits:
    """One class, `read`."""
    return Limits(rates={"read": rate}, quota=quota)


def ask(**given: Any) -> Decision:
    """Asks as acme's client `c1` with token `t1`, now."""
    asked = {
        "tenant_id": ACME,
        "client_id": "c1",
        "token_id": "t1",
        "limits": limits(),
        "endpoint_class": "read",
        "now": clock.now(),
    }
    return check(**{**asked, **given})


def know_revocations(*tenant_ids: int) -> None:
    """As if each tenant's revocations had been loaded, and there were none."""
    for tenant_id in tenant_ids or (ACME, GLOBEX):
        revocation_markers.load(tenant_id=tenant_id, revoked=[])


def count(counter: Any) -> float:
    """A counter's value."""
    value: float = counter._value.get()
    return value
