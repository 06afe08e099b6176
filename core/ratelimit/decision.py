"""The decision of the rate limiter."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The decision. UNKNOWN_REVOCATION: within its limits and charged, but Postgres must be asked about revocation."""

    ADMITTED = "admitted"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    REVOKED = "revoked"
    UNKNOWN_REVOCATION = "unknown_revocation"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a request, and the values read with it.

    `allowed` is True only where nothing is left to ask; it is False for UNKNOWN_REVOCATION, so that a caller who
    forgets that case refuses. `static`: over quota, but the plan gives a static list. `values` are what was read, in
    the order asked; None where nothing was read (refused, static, or no Redis: read Postgres). `exact` is False where
    the process judged alone, without Redis. `headers` belong on the answer, whichever it is.
    """

    outcome: Outcome
    headers: Mapping[str, str]
    values: tuple[Any, ...] | None = None
    quota_used: int | None = None
    retry_after_seconds: int | None = None
    static: bool = False
    exact: bool = True

    @property
    def allowed(self) -> bool:
        """True if the request may go on without a further check."""
        return self.outcome is Outcome.ADMITTED
