"""Requests on which Django's layers have nothing to decide, and the headers that those layers give every answer.

For an application in front of Django that answers the most frequent requests itself (recommendations.api.hot_reads).
Whatever a middleware might refuse, redirect or answer differently is not plain.
"""

import secrets
import time
from io import BytesIO
from itertools import count
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

from core.http.csp import ContentPolicyMiddleware
from core.http.middleware import is_sane_id

# CORS is decided by the caller's tenant; the others are read before a body is.
_DECIDED_ELSEWHERE = ("HTTP_ORIGIN", "HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING")
_LAYERS = (SecurityMiddleware, ContentPolicyMiddleware, XFrameOptionsMiddleware)
_MOST_HOSTS = 100


class PlainRequests:
    """One for the process; `accepts` and `response_headers` take a WSGI environment."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()
        self._prefix, self._numbers = secrets.token_hex(8), count(1)
        self._common = {secure: _common_headers(secure) for secure in (False, True)}

    def accepts(self, environ: dict[str, Any]) -> bool:
        """Tell if no layer would refuse or redirect the request, or read its address or body in another way."""
        host = environ.get("HTTP_HOST", "")
        if host not in self._hosts and not self._learn(host):
            return False
        for name in _DECIDED_ELSEWHERE:
            if name in environ:
                return False
        if environ.get("SCRIPT_NAME") or settings.USE_X_FORWARDED_HOST:
            return False
        if settings.METRICS_PORT and environ.get("SERVER_PORT") == str(settings.METRICS_PORT):
            return False
        if settings.SECURE_SSL_REDIRECT and not _is_secure(environ):
            return False
        received_at = environ.get("docent.received_at")
        return received_at is None or time.monotonic() < received_at + settings.API_DEADLINE_SECONDS

    def response_headers(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        """The request id, and the headers that every answer of the API gets."""
        sent = environ.get("HTTP_X_REQUEST_ID")
        request_id = sent if sent and is_sane_id(sent) else f"{self._prefix}{next(self._numbers):08x}"
        return request_id, [("X-Request-ID", request_id), *self._common[_is_secure(environ)]]

    def _learn(self, host: str) -> bool:
        domain, _ = split_domain_port(host)
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS) or len(self._hosts) >= _MOST_HOSTS:
            return False
        self._hosts.add(host)
        return True


def _is_secure(environ: dict[str, Any]) -> bool:
    if proxy := settings.SECURE_PROXY_SSL_HEADER:
        name, secure = proxy
        if name in environ:
            return bool(environ[name].split(",", 1)[0].strip() == secure)
    return environ.get("wsgi.url_scheme") == "https"


def _common_headers(secure: bool) -> tuple[tuple[str, str], ...]:
    """The headers that those layers in settings.MIDDLEWARE which judge no request add to an answer, asked of them."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "https" if secure else "http",
    }
    if secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        environ[name] = value
    response = HttpResponse(content_type="application/json")
    known = [import_string(name) for name in settings.MIDDLEWARE]
    for layer in reversed([each for each in known if each in _LAYERS]):
        response = layer(_nothing).process_response(WSGIRequest(environ), response)
    return tuple((name, value) for name, value in response.items() if name != "Content-Type")


def _nothing(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()
