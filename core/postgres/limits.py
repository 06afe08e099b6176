"""Time limits of a transaction, set inside the transaction so that they work through PgBouncer.

A parameter of the start-up packet is refused by PgBouncer, and one of the session would stay on a server connection
that other clients are given next.
"""

from collections.abc import Mapping

from django.conf import settings

from core import deadline

# PostgreSQL ends a statement a little before its client stops waiting: its answer says what happened, and the
# connection can be used again.
_EARLIER_SECONDS = 0.15


def transaction_settings() -> Mapping[str, str]:
    """PostgreSQL's settings, in milliseconds, for a transaction that begins now; none where there is no limit.

    A statement may take what is left of the request's deadline, or DB_STATEMENT_TIMEOUT_SECONDS if that is less. A
    request whose process is gone lets go of its locks when the deadline is over.
    """
    limit, left = float(settings.DB_STATEMENT_TIMEOUT_SECONDS), deadline.remaining()
    if left is None:
        return {"statement_timeout": _milliseconds(limit)} if limit else {}
    statement = max(left - _EARLIER_SECONDS, 0.001)
    return {
        "statement_timeout": _milliseconds(min(limit, statement) if limit else statement),
        "idle_in_transaction_session_timeout": _milliseconds(left),
    }


def _milliseconds(seconds: float) -> str:
    return str(max(1, int(seconds * 1000)))
