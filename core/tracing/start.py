"""Switches traces and error reports on in this process, as the settings say."""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.db.backends.signals import connection_created

from core import tracing

_HINT = "Install the optional packages: pip install -r requirements-tracing.txt."
_LITERALS = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_STATEMENT = 1000


def from_settings() -> None:
    """Starts what is configured: at the start of each process, once.

    Raises: ImproperlyConfigured without the optional packages.
    """
    if settings.TRACING_ENDPOINT:
        try:
            from core.tracing.opentelemetry_sdk import OpenTelemetry  # noqa: PLC0415
        except ImportError as error:
            raise ImproperlyConfigured(f"TRACING_ENDPOINT is set. {_HINT}") from error
        tracing.use(
            OpenTelemetry(
                endpoint=settings.TRACING_ENDPOINT, token=settings.TRACING_TOKEN, share=settings.TRACING_SHARE
            )
        )
        connection_created.connect(_trace_statements, dispatch_uid="tracing")
    if settings.SENTRY_DSN:
        try:
            from core.tracing import sentry  # noqa: PLC0415
        except ImportError as error:
            raise ImproperlyConfigured(f"SENTRY_DSN is set. {_HINT}") from error
        sentry.start(dsn=settings.SENTRY_DSN, environment=settings.SENTRY_ENVIRONMENT)
        tracing.report_with(sentry.report)
        got_request_exception.connect(_report_current, dispatch_uid="error reports")


def without_literals(statement: str) -> str:
    """A statement without the values that stand in it; parameters are no part of it anyway."""
    return _LITERALS.sub("?", statement[:_STATEMENT])


def _trace_statements(connection: Any, **_: Any) -> None:
    if _traced not in connection.execute_wrappers:
        connection.execute_wrappers.append(_traced)


def _traced(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    text = sql if isinstance(sql, str) else sql.as_string()
    words = text.split(maxsplit=1)
    attributes = {"db.system.name": "postgresql", "db.query.text": without_literals(text)}
    with tracing.span(f"sql {words[0].upper() if words else ''}", attributes, kind="client"):
        return execute(sql, params, many, context)


def _report_current(sender: Any, **_: Any) -> None:
    import sys  # noqa: PLC0415

    if (error := sys.exception()) is not None:
        tracing.report(error)
