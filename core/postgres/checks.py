"""System checks of thread and connection counts."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register

NO_THREAD_LEFT = "core.W008"


@register()
def a_thread_is_left_while_postgresql_hangs(**_: Any) -> list[CheckMessage]:
    """If every thread may wait for PostgreSQL, all of them will."""
    if not settings.DB_POOL or settings.DB_WAITING_THREADS < settings.WEB_THREADS:
        return []
    text = (
        f"All {settings.WEB_THREADS} threads of a web process may wait for PostgreSQL at once: while it hangs, cached"
        " lists are not served either."
    )
    hint = "Set DB_WAITING_THREADS below WEB_THREADS, two below it for example (docs/operations/config.md)."
    return [checks.Warning(text, hint=hint, id=NO_THREAD_LEFT)]
