"""A span for each request, around everything that answers it."""

from collections.abc import Callable, Iterable
from typing import Any

from core import tracing

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def with_spans(application: Application) -> Application:
    """The application, whose requests continue the trace of the caller's `traceparent`, where traces are switched on.

    A span has the method and, once it is known, the route; never the path, in which ids stand.
    """
    if not tracing.enabled():
        return application

    def traced(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD", "")
        carrier = {"traceparent": environ.get("HTTP_TRACEPARENT", ""), "tracestate": environ.get("HTTP_TRACESTATE", "")}
        with tracing.span(method, {"http.request.method": method}, kind="server", carrier=carrier):
            return application(environ, start_response)

    return traced
