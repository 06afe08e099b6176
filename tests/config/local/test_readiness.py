"""Waiting ends with the first 200, with a reason after a time, or with whoever finds that it is in vain."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config.devservers.ports import free_port
from config.local.readiness import NotReady, wait_until_ready


class Server(HTTPServer):
    """Answers with these statuses, one after another; the last one stays."""

    statuses: list[int]
    paths: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.paths.append(self.path)
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.end_headers()
        self.wfile.write(b"database: away")

    def log_message(self, *_):
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.statuses, server.paths = [503, 503, 200], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class TestWaitUntilReady:
    def test_ends_with_the_first_200(self, server):
        wait_until_ready(host="127.0.0.1", port=server.server_port, still_up=lambda: None)

        assert server.paths == ["/readyz"] * 3

    def test_gives_up_with_the_last_answer(self, server):
        server.statuses = [503]

        with pytest.raises(NotReady, match=r"not ready after 0\.3 s\. Its last answer: database: away"):
            wait_until_ready(host="127.0.0.1", port=server.server_port, still_up=lambda: None, seconds=0.3)

    def test_stops_at_once_when_it_waits_in_vain(self):
        def nobody_is_up() -> None:
            raise RuntimeError("web ended")

        with pytest.raises(RuntimeError, match="web ended"):
            wait_until_ready(host="127.0.0.1", port=free_port(), still_up=nobody_is_up)
