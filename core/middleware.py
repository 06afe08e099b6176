"""The outermost layer of a request: its id, its duration, its log line, and errors that no view saw."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse

from core import problem
from core.metrics import REQUEST_SECONDS

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,128}\Z")
_log = structlog.get_logger("docent.request")


class EdgeMiddleware:
    """Binds the request id, times the answer by route name, and writes one log line for each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.max_body = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers, whatever happens inside, with `X-Request-ID`."""
        started = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _SANE_ID.match(given) else secrets.token_hex(12)
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self._too_large(request) or self.get_response(request)
        if response.status_code >= 400 and request.path.startswith("/api/"):
            response = self._as_problem(request, response)
        response["X-Request-ID"] = request_id
        self._observe(request, response, time.perf_counter() - started)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A body that Django refuses to read is too large, not malformed."""
        if isinstance(error, RequestDataTooBig):
            return problem.response(status=413, detail="The body is larger than 5 MiB.", request=request)
        return None

    def _too_large(self, request: HttpRequest) -> HttpResponse | None:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > self.max_body:
            return problem.response(status=413, detail="The body is larger than 5 MiB.", request=request)
        return None

    def _as_problem(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Errors raised by Django before any view (bad host, wrong method) take the form of all others."""
        if response.get("Content-Type", "").startswith(problem.CONTENT_TYPE) or response.streaming:
            return response
        kept = {name: value for name, value in response.items() if name.lower() in {"allow", "www-authenticate"}}
        return problem.response(status=response.status_code, request=request, headers=kept)

    def _observe(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        match = request.resolver_match
        route = (match.view_name or match.route or "unnamed") if match else "unmatched"
        if route.startswith("admin:"):
            route = "admin"
        REQUEST_SECONDS.labels(route, request.method or "", str(response.status_code)).observe(seconds)
        principal = getattr(request, "principal", None)
        _log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 2),
            tenant=principal.tenant if principal else None,
        )
