"""An API that answers well in form, and does nothing of what it promises: each check must notice."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from config.devservers.ports import LOOPBACK

ITEMS = {"items": [{"item_id": "a"}, {"item_id": "b"}], "recommendation_id": "r"}
TOKEN = {"access_token": "t", "refresh_token": "same"}


class _Careless(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, {"data": [{"clicks": 1}]} if "insights" in self.path else ITEMS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*((200, TOKEN) if "/auth/" in self.path else (201, {"event_id": "e"})))

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """The API; yields its base URL."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
