"""The HTTP server: routes, key check, faults of the transport, and the admin calls."""

import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.fakes.openai_server import wire
from tests.fakes.openai_server.batches import ENDPOINT as BATCHES
from tests.fakes.openai_server.batches import Batches
from tests.fakes.openai_server.chat import complete
from tests.fakes.openai_server.embeddings import embed
from tests.fakes.openai_server.faults import KINDS, Fault, Faults, UnknownFault

DEFAULT_LATENCY_SECONDS = 0.02
REMEMBERED_REQUESTS = 1000
MODELS = ("docent-simulator", "gpt-4.1-mini", "gpt-5-mini", "text-embedding-3-small")
_RESET = struct.pack("ii", 1, 0)


class Simulator:
    """A running server; a context manager that serves from a thread of its own."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, latency_seconds: float = DEFAULT_LATENCY_SECONDS
    ) -> None:
        self.latency_seconds = latency_seconds
        self.faults = Faults()
        self.seen_prefixes: set[str] = set()
        self.batches = Batches(
            self.faults, lambda body, fault: complete(body, fault=fault, seen_prefixes=self.seen_prefixes)
        )
        self._lock = threading.Lock()
        self._counters: dict[str, Counter[str]] = {"requests": Counter(), "answers": Counter()}
        self._seen: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)
        self._in_flight = self._most_in_flight = 0
        self._server = _Server((host, port), _Handler)
        self._server.simulator = self
        bound_host, bound_port = self._server.server_address[:2]
        self.admin_url = f"http://{bound_host!s}:{bound_port}/admin"
        self.base_url = f"http://{bound_host!s}:{bound_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Simulator":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, path: str, body: Any, client_request_id: str | None = None) -> dict[str, Any]:
        """Count a request that arrived; returns its entry, which `end` completes."""
        entry = {"at": time.time(), "ended": None, "path": path, "body": body, "usage": None, "id": client_request_id}
        with self._lock:
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
            self._counters["requests"][path] += 1
            self._seen.append(entry)
        return entry

    def end(self, entry: dict[str, Any], outcome: str, answer: wire.Answer | None) -> None:
        """Count how it ended: a status, or ``none`` where no answer was written."""
        with self._lock:
            self._in_flight -= 1
            self._counters["answers"][outcome] += 1
            entry["ended"] = time.time()
            if answer is not None and isinstance(answer.body, dict):
                entry["usage"] = answer.body.get("usage")

    def state(self) -> dict[str, Any]:
        """Return counters, active faults and the latest requests, oldest first."""
        with self._lock:
            return {
                **{name: dict(counter) for name, counter in self._counters.items()},
                "faults_fired": dict(self.faults.fired),
                "faults": self.faults.described(),
                "in_flight": self._in_flight,
                "most_in_flight": self._most_in_flight,
                "seen": list(self._seen),
            }

    def reset(self) -> None:
        """Forget counters and requests; faults stay."""
        with self._lock:
            for counter in self._counters.values():
                counter.clear()
            self._seen.clear()
            self._most_in_flight = self._in_flight
        self.faults.reset_counters()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    simulator: Simulator

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "DocentSimulator"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, *_args: Any) -> None:
        """Keep the console clean; GET /admin/state tells what arrived."""

    def do_GET(self) -> None:
        """Answer model listings and the admin's state."""
        if self.path == "/admin/state":
            self._write(wire.Answer(200, self.server.simulator.state()))
        elif not self._has_key():
            self._write(wire.missing_key())
        elif self.path == "/v1/models":
            self._write(wire.Answer(200, {"object": "list", "data": [_model(name) for name in MODELS]}))
        elif self.path.startswith("/v1/models/"):
            self._write(wire.Answer(200, _model(self.path.rpartition("/")[2])))
        elif self.path.startswith(("/v1/files/", "/v1/batches")):
            self._count(lambda: self._get_of_batches(self.path.partition("?")[0]))
        else:
            self._write(_not_found(self.command, self.path))

    def do_DELETE(self) -> None:
        """Switch faults off, or forget the counters."""
        if self.path == "/admin/faults":
            self.server.simulator.faults.clear()
        elif self.path == "/admin/state":
            self.server.simulator.reset()
        else:
            self._write(_not_found(self.command, self.path))
            return
        self._write(wire.Answer(200, self.server.simulator.state()))

    def do_POST(self) -> None:
        """Answer the API's calls and the admin's requests for faults."""
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/v1/files":
            self._count(lambda: self.server.simulator.batches.upload(self.headers.get("content-type", ""), raw))
            return
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if self.path == "/admin/faults":
            self._write(self._add_fault(body))
        elif self.path in {"/v1/chat/completions", "/v1/embeddings"}:
            self._serve(self.path.removeprefix("/v1/"), body)
        elif self.path == "/v1/batches" and isinstance(body, dict):
            self._count(lambda: self.server.simulator.batches.create(body))
        elif self.path.startswith("/v1/batches/") and self.path.endswith("/cancel"):
            self._count(lambda: self.server.simulator.batches.cancel(self.path.split("/")[3]))
        else:
            self._write(_not_found(self.command, self.path))

    def _get_of_batches(self, path: str) -> wire.Answer:
        batches, parts = self.server.simulator.batches, path.split("/")
        if path.startswith("/v1/files/") and path.endswith("/content"):
            return batches.content(parts[3])
        return batches.retrieve(parts[3]) if len(parts) > 3 else batches.listed()

    def _count(self, answer: Callable[[], wire.Answer]) -> None:
        """Answer a call of the batch interface; a fault for ``batches-transport`` spoils it."""
        simulator = self.server.simulator
        entry, outcome = simulator.begin(BATCHES, None), "none"
        fault = simulator.faults.take("batches-transport") if self._has_key() else None
        said = (self._refusal("", fault) or answer()) if self._has_key() else wire.missing_key()
        try:
            if self._deliver(said, fault):
                outcome = str(said.status)
        finally:
            simulator.end(entry, outcome, said)

    def _add_fault(self, body: Any) -> wire.Answer:
        try:
            self.server.simulator.faults.add(Fault.from_json(body))
        except UnknownFault as error:
            return wire.Answer(400, {"error": str(error), "kinds": dict(KINDS)})
        return wire.Answer(201, self.server.simulator.state())

    def _serve(self, endpoint: str, body: Any) -> None:
        simulator = self.server.simulator
        entry = simulator.begin(endpoint, body, self.headers.get("x-client-request-id"))
        outcome, answer = "none", None
        try:
            if not self._has_key():
                answer, fault = wire.missing_key(), None
            elif not isinstance(body, dict):
                answer, fault = _bad_json(), None
            else:
                fault = simulator.faults.take(endpoint)
                time.sleep(simulator.latency_seconds)
                answer = self._answer(endpoint, body, fault)
            if self._deliver(answer, fault):
                outcome = str(answer.status)
        finally:
            simulator.end(entry, outcome, answer)

    def _answer(self, endpoint: str, body: dict[str, Any], fault: Fault | None) -> wire.Answer:
        if refusal := self._refusal(str(body.get("model")), fault):
            return refusal
        if fault and fault.kind == "latency":
            time.sleep(fault.number("seconds", 1))
        if endpoint == "embeddings":
            return embed(body)
        return complete(body, fault=fault, seen_prefixes=self.server.simulator.seen_prefixes)

    def _refusal(self, model: str, fault: Fault | None) -> wire.Answer | None:
        """Return the error that a fault answers with, if it is of that kind."""
        kind = fault.kind if fault else ""
        if fault and kind == "throttled":
            header, http_date = bool(fault.params.get("header", True)), bool(fault.params.get("http_date"))
            return wire.throttled(model, seconds=fault.number("seconds", 5), header=header, http_date=http_date)
        if kind == "insufficient_quota":
            return wire.insufficient_quota()
        if kind == "unauthorized":
            return wire.invalid_key()
        if kind == "bad_request":
            return wire.error(400, "Unsupported parameter", kind="invalid_request_error", code="unsupported_parameter")
        if fault and kind == "server_error":
            seconds = fault.number("seconds", 0) if "seconds" in fault.params else None
            return wire.server_error(int(fault.number("status", 500)), seconds=seconds)
        return None

    def _deliver(self, answer: wire.Answer, fault: Fault | None) -> bool:
        """Write the answer, or spoil the transport; tell whether a whole answer was written."""
        kind = fault.kind if fault else ""
        if fault and kind == "black_hole":
            self.server.simulator.faults.cleared.wait(fault.number("seconds", 3600))
            self.close_connection = True
            return False
        if kind == "connection_reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
            self.close_connection = True
            return False
        if fault and kind == "garbage" and fault.params.get("part") == "body":
            answer = wire.Answer(200, "<html>502 upstream</html>")
        self._write(answer, drip=fault if kind == "slow_drip" else None)
        return True

    def _has_key(self) -> bool:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and bool(token.strip())

    def _write(self, answer: wire.Answer, *, drip: Fault | None = None) -> None:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body, ensure_ascii=False)
        payload = text.encode()
        self.send_response(answer.status)
        processing = round(self.server.simulator.latency_seconds * 1000)
        for name, value in {**wire.common_headers(processing_ms=processing), **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if drip is None:
            self.end_headers()
            self.wfile.write(payload)
            self.wfile.flush()
        elif drip.params.get("part") == "headers":
            self._drip(b"x-padding: " + b"a" * 4000 + b"\r\n", drip)
        else:
            self.end_headers()
            self._drip(payload, drip)

    def _drip(self, payload: bytes, fault: Fault) -> None:
        cleared = self.server.simulator.faults.cleared
        self.flush_headers()
        self.wfile.flush()
        for position in range(len(payload)):
            self.connection.sendall(payload[position : position + 1])
            if cleared.wait(fault.number("interval", 0.1)):
                self.close_connection = True
                return


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1735689600, "owned_by": "docent-simulator"}


def _not_found(method: str, path: str) -> wire.Answer:
    return wire.error(404, f"Invalid URL ({method} {path})", kind="invalid_request_error")


def _bad_json() -> wire.Answer:
    message = "We could not parse the JSON body of your request. The API expects a JSON payload."
    return wire.error(400, message, kind="invalid_request_error")
