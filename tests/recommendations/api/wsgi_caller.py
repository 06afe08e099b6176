"""Calls the WSGI application as a server does, the short way of hot reads or only the ordinary one."""

import contextlib
import io
import json
from types import SimpleNamespace

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections

from core.http import body_limits
from core.http.locations import with_readable_paths
from core.http.wsgi_bodies import with_whole_bodies
from recommendations.api.hot_reads import HotReads


@contextlib.contextmanager
def _kept_connection():
    """As Django's test client: the end of a request must not close the test's transaction."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (signals.request_started, signals.request_finished):
            signal.connect(close_old_connections)


class Caller:
    """Calls the application as a server does, the short way or only the ordinary one."""

    def __init__(self, token):
        self.passed_on = 0
        self.ordinary = with_whole_bodies(with_readable_paths(WSGIHandler()), max_bytes=body_limits.max_bytes)
        self.hot = HotReads(self._passed_on)
        self.token = token

    def _passed_on(self, environ, start_response):
        self.passed_on += 1
        return self.ordinary(environ, start_response)

    def environ(self, path, sent=None, **more):
        data = b"" if sent is None else sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": "GET" if sent is None else "POST",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "HTTP_HOST": "testserver",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data),
            "wsgi.input_terminated": True,
            "wsgi.errors": io.StringIO(),
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            **({} if sent is None else {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(data))}),
            **more,
        }
        return {name: value for name, value in environ.items() if value is not None}

    def ask(self, *given, application=None, **more):
        answer = SimpleNamespace()

        def start_response(status, headers, exc_info=None):
            answer.status, answer.headers = int(status[:3]), dict(headers)

        with _kept_connection():
            parts = (application or self.hot)(self.environ(*given, **more), start_response)
            answer.body = b"".join(parts)
            if hasattr(parts, "close"):
                parts.close()
        return answer

    def ask_views(self, *given, **more):
        return self.ask(*given, application=self.ordinary, **more)


def limited(answer):
    """Headers that tell of limits count down."""
    return {name: value for name, value in answer.headers.items() if name not in ("X-Request-ID", "RateLimit")}


def left(answer):
    """Units left of the month's quota."""
    return int(answer.headers["RateLimit"].partition('"quota";r=')[2].split(";")[0])
