"""OpenTelemetry: the one module that imports it, loaded where TRACING_ENDPOINT is set (requirements-tracing.txt)."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.tracing import Kind

P = ParamSpec("P")
T = TypeVar("T")
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_FLUSH_MILLISECONDS = 3000
_SEND_SECONDS = 5


class OpenTelemetry:
    """Sends spans to a collector in batches, from a thread of its own; implements `core.tracing.Tracer`."""

    def __init__(self, *, endpoint: str, token: str, share: float) -> None:
        # The share of traces is ours to decide: by its id a trace is kept in every process or in none, whatever a
        # caller's `traceparent` asks for.
        ratio = TraceIdRatioBased(share)
        sampler = ParentBased(root=ratio, remote_parent_sampled=ratio)
        self._provider = TracerProvider(sampler=sampler, resource=Resource.create({"service.name": "docent"}))
        headers = {"Authorization": f"Bearer {token}"} if token else None
        exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=_SEND_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("docent")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, kind: Kind, carrier: Mapping[str, str] | None, attributes: Mapping[str, Any]
    ) -> Iterator[None]:
        """A span; an exception leaves its type, and not its text."""
        parent = self._propagator.extract(carrier) if carrier else None
        started = self._tracer.start_as_current_span(
            name, parent, _KINDS[kind], attributes, record_exception=False, set_status_on_exception=False
        )
        with started as current:
            try:
                yield
            except BaseException as error:
                current.set_attribute("error.type", type(error).__name__)
                current.set_status(trace.StatusCode.ERROR)
                raise

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        """Adds `traceparent`."""
        self._propagator.inject(carrier)

    def rename(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Names the current span."""
        current = trace.get_current_span()
        current.update_name(name)
        current.set_attributes(attributes)

    def carried(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function with the present context."""
        held = context.get_current()

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            token = context.attach(held)
            try:
                return function(*args, **kwargs)
            finally:
                context.detach(token)

        return call

    def flush(self) -> None:
        """Sends what has been recorded, for at most three seconds."""
        self._provider.force_flush(_FLUSH_MILLISECONDS)

    def close(self) -> None:
        """Sends what is left, and ends the thread."""
        self._provider.shutdown()
