"""The runner's own HTTP server: /metrics for Prometheus, /outcomes for the service that keeps them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from workers.synthetic.outcomes import History, exposition


@contextmanager
def serving(history: History, *, host: str, port: int) -> Iterator[int]:
    """Serves while the context lasts; yields the port, which is chosen by the system for 0.

    Raises: OSError where the address cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/metrics":
                self._answer("text/plain; version=0.0.4; charset=utf-8", exposition(history.totals()))
            elif parts.path == "/outcomes":
                since = _number(parse_qs(parts.query).get("since", ["0"])[0])
                rows = [each.as_json() for each in history.latest(since=since)]
                self._answer("application/json", json.dumps({"outcomes": rows}).encode())
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are no news."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
