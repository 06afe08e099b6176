"""A proxy that compresses answers and changes their ETags, as those do that people put in front of services."""

import contextlib
import gzip
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from config.devservers.ports import LOOPBACK

# What becomes of a tag, by the proxy that is known for it.
TAGS: dict[str, Callable[[str], str]] = {
    "nginx": lambda tag: f"W/{tag}",
    "Apache": lambda tag: f'{tag[:-1]}-gzip"',
    "Jetty": lambda tag: f'{tag[:-1]}--gzip"',
}


@contextlib.contextmanager
def compressing(port: int, like: str) -> Iterator[str]:
    """The proxy's address, in front of the service at the port."""

    class Handler(_Handler):
        upstream, changed = port, staticmethod(TAGS[like])

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    upstream: int
    changed: Callable[[str], str]

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(LOOPBACK, self.upstream, timeout=15)
        try:
            connection.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
            answer = connection.getresponse()
            content, headers = answer.read(), dict(answer.getheaders())
        finally:
            connection.close()
        if content:
            content = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
        if "ETag" in headers:
            headers["ETag"] = self.changed(headers["ETag"])
        self.send_response(answer.status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = _forward  # noqa: N815  # the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
        """Nothing: the tests say what went wrong."""
