"""Sentry: the one module that imports it, loaded where SENTRY_DSN is set (requirements-tracing.txt).

A report has the type of the error, the first line of its text, the stack without variables, and the request's id: no
body, header, address, user, or breadcrumb.
"""

from typing import Any

import sentry_sdk
import structlog

_TEXT = 200
_KEPT = {"event_id", "timestamp", "level", "platform", "exception", "tags", "environment", "release", "sdk", "contexts"}


def start(*, dsn: str, environment: str) -> None:
    """Connects this process.

    Raises: sentry_sdk.utils.BadDsn.
    """
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        server_name="",
        before_send=_reduced,
    )


def report(error: BaseException) -> None:
    """Sends the error, from a thread of Sentry's."""
    sentry_sdk.capture_exception(error)


def _reduced(event: Any, _hint: Any) -> Any:
    bound = structlog.contextvars.get_contextvars()
    for each in event.get("exception", {}).get("values", ()):
        each["value"] = (str(each.get("value") or "").splitlines() or [""])[0][:_TEXT]
    reduced = {name: value for name, value in event.items() if name in _KEPT}
    reduced["tags"] = {name: bound[name] for name in ("request_id", "task", "task_id") if bound.get(name)}
    return reduced
