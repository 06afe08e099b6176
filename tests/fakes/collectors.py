"""An OTLP collector and a Sentry server in this process: they keep what arrives."""

import gzip
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

from config.devservers.ports import LOOPBACK

PACKAGES = Path(__file__).resolve().parents[2] / ".venv-tracing"
"""The optional packages (`make tracing`), for PYTHONPATH: they are no part of the environment of other tests."""


@dataclass(frozen=True)
class Span:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass
class Collectors:
    """Everything that has arrived: spans, error reports, and the credentials that came with them."""

    port: int
    spans: list[Span] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that sends everything here."""
        return {
            "PYTHONPATH": f"{PACKAGES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "TRACING_ENDPOINT": f"http://{LOOPBACK}:{self.port}/v1/traces",
            "TRACING_TOKEN": "collector-token",
            "TRACING_SHARE": "1",
            "SENTRY_DSN": f"http://public@{LOOPBACK}:{self.port}/1",
        }

    def named(self, name: str, *, trace: str = "", seconds: float = 30.0) -> Span:
        """The first span of that name, in that trace; waits for it."""
        until = time.monotonic() + seconds
        while True:
            for span in list(self.spans):
                if span.name == name and trace in ("", span.trace):
                    return span
            assert time.monotonic() < until, sorted({span.name for span in self.spans if trace in ("", span.trace)})
            time.sleep(0.1)

    def take(self, path: str, body: bytes, authorization: str) -> None:
        """Keeps one message."""
        self.raw.append(body)
        if path == "/v1/traces":
            self.credentials.add(authorization)
            scopes = [scope for resource in _decoded(body).resource_spans for scope in resource.scope_spans]
            self.spans += [_span(each) for scope in scopes for each in scope.spans]
        else:
            lines = [json.loads(line) for line in body.split(b"\n") if line.startswith(b"{")]
            self.reports += [line for line in lines if "exception" in line]


def _decoded(body: bytes) -> Any:
    sys.path.append(str(PACKAGES))
    try:
        module = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    finally:
        sys.path.remove(str(PACKAGES))
    return module.ExportTraceServiceRequest.FromString(body)


def _span(raw: Any) -> Span:
    values = {each.key: each.value.string_value or each.value.int_value for each in raw.attributes}
    return Span(raw.name, raw.trace_id.hex(), raw.span_id.hex(), raw.parent_span_id.hex(), values)


@contextmanager
def collecting() -> Iterator[Collectors]:
    """Both servers at one port, while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            collectors.take(self.path, gzip.decompress(body) if packed else body, self.headers.get("Authorization", ""))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    collectors = Collectors(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collectors
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
