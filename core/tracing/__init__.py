"""Spans and error reports for whoever switched them on; otherwise each call here does nothing, and loads nothing.

A span has no personal data: names are routes, purposes and tasks; statements have neither parameters nor literals.
"""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Kind = Literal["server", "client", "producer", "consumer", "internal"]
_OFF: AbstractContextManager[None] = nullcontext()


class Tracer(Protocol):
    """Records spans (core.tracing.opentelemetry_sdk)."""

    def span(
        self, name: str, kind: Kind, carrier: Mapping[str, str] | None, attributes: Mapping[str, Any]
    ) -> AbstractContextManager[None]:
        """A span that ends with the context; a `carrier` with `traceparent` names its parent."""

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        """Adds the current span's `traceparent`."""

    def rename(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Names the current span."""

    def carried(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function, for another thread: its spans belong to the current one."""

    def flush(self) -> None:
        """Sends what has been recorded."""


_tracer: Tracer | None = None
_report: Callable[[BaseException], None] | None = None


def use(tracer: Tracer | None) -> None:
    """Switches spans on, or off with None."""
    global _tracer
    _tracer = tracer


def report_with(report: Callable[[BaseException], None] | None) -> None:
    """Switches error reports on, or off with None."""
    global _report
    _report = report


def enabled() -> bool:
    """True if spans are recorded."""
    return _tracer is not None


def span(
    name: str,
    attributes: Mapping[str, Any],
    *,
    kind: Kind = "internal",
    carrier: Mapping[str, str] | None = None,
) -> AbstractContextManager[None]:
    """A span around the context. Attributes are named as OpenTelemetry's conventions say."""
    return _OFF if _tracer is None else _tracer.span(name, kind, carrier, attributes)


def name_request(method: str, route: str, status: int) -> None:
    """Names the current request's span by its route."""
    if _tracer is not None:
        _tracer.rename(f"{method} {route}", {"http.route": route, "http.response.status_code": status})


def inject(carrier: MutableMapping[str, str]) -> None:
    """Adds `traceparent` to headers that leave this process."""
    if _tracer is not None:
        _tracer.inject(carrier)


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """The function, to be called in another thread, with the current span as its parent."""
    return function if _tracer is None else _tracer.carried(function)


def flush() -> None:
    """Sends what has been recorded; for a process that ends."""
    if _tracer is not None:
        _tracer.flush()


def report(error: BaseException) -> None:
    """Reports an error that nothing handled."""
    if _report is not None:
        _report(error)
