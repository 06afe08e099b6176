"""The outermost layers of a request: its id, duration and log line, errors that no view handled, and the probes."""

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import cast

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DataError, connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import resolve

from core import deadline, tracing
from core.http import body_limits, content_encoding, locations, problem, request_log
from core.metrics import REQUEST_SECONDS
from core.ops import metrics_view

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,128}\Z")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SAFE = frozenset({"GET", "HEAD"})
_TOO_SLOW = "The body came too slowly, or stopped coming."
_NUL = "The address or the body contains a NUL character (%00 or \\u0000)."
_log = structlog.get_logger("docent.request")


def is_sane_id(sent: str) -> bool:
    """Tell if a caller's `X-Request-ID` is taken over."""
    return _SANE_ID.match(sent) is not None


class EdgeMiddleware:
    """Binds the request id, opens the deadline, measures the duration by route name, and writes one log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Adds `X-Request-ID` to every response, and the RateLimit headers if limits were checked."""
        started = time.perf_counter()
        sent_id = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent_id if is_sane_id(sent_id) else secrets.token_hex(12)
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if request.encoding and request.encoding.lower() not in {"utf-8", "utf8"}:
            request.encoding = "utf-8"  # the contract; Python knows codecs that are no encodings of text
        # A server that reads requests before it hands them over says since when this one has been waiting.
        with deadline.within(settings.API_DEADLINE_SECONDS, since=request.META.get("docent.received_at")):
            response = self._refusal(request) or self._answer(request)
        _time_parts(response)
        if response.status_code >= 400 and not request.path_info.startswith("/admin/"):
            _make_problem(request, response)
        response["X-Request-ID"] = request_id
        if (decision := getattr(request, "rate_limit_decision", None)) is not None:
            for name, value in decision.headers.items():
                response[name] = value
        self._observe(request, response, time.perf_counter() - started)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        """Retries a read once if its connection to PostgreSQL ended in the middle, as by a restart."""
        response = self.get_response(request)
        if request.method in _SAFE and getattr(request, "database_lost", False):
            for each in connections.all(initialized_only=True):
                each.close_if_unusable_or_obsolete()
            response = self.get_response(request)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answers errors that no view handled although the caller caused them."""
        if isinstance(error, RequestDataTooBig):
            return problem.response(status=413, detail=body_limits.too_large_detail(request.path_info), request=request)
        if isinstance(error, UnreadablePostError) and isinstance(error.__cause__, TimeoutError):
            return problem.response(status=408, detail=_TOO_SLOW, request=request)
        if isinstance(error, UnreadablePostError):
            return problem.response(status=400, detail="The body ended before its Content-Length.", request=request)
        if (unavailable := problem.unavailable(error, request)) is not None:
            return unavailable
        if isinstance(error, DataError) and "NUL" in str(error):
            # The net below the views' own checks: PostgreSQL stores no NUL, and psycopg refuses to send one.
            return problem.response(status=422, code="invalid", detail=_NUL, request=request)
        return None

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        if deadline.remaining() == 0:  # it waited for a thread until nobody waits for its answer
            return problem.unavailable(deadline.DeadlineExceeded(settings.API_DEADLINE_SECONDS), request)
        if part := locations.undecodable(request):
            detail = f"The {part} of the address is not UTF-8 where it is percent-decoded."
            return problem.response(status=400, detail=detail, request=request)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isascii() and length.isdigit() and int(length) > body_limits.max_bytes(request.path_info):
            return problem.response(status=413, detail=body_limits.too_large_detail(request.path_info), request=request)
        if (coding := request.META.get("HTTP_CONTENT_ENCODING")) and request.path_info not in settings.LARGE_BODIES:
            most = body_limits.max_bytes(request.path_info)
            request._stream = content_encoding.decode_stream(request._stream, coding, most=most)  # noqa: SLF001
        return None

    def _observe(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        match = request.resolver_match
        route = (match.view_name or match.route or "unnamed") if match else "unmatched"
        if route.startswith("admin:"):
            route = "admin"
        # A client may send any word as the method, but must not make time series with it.
        method = request.method if request.method in _METHODS else "OTHER"
        REQUEST_SECONDS.labels(route, method, str(response.status_code)).observe(seconds)
        tracing.name_request(method, route, response.status_code)
        if not request_log.is_logged(request, route=route, status=response.status_code, seconds=seconds):
            return
        principal = getattr(request, "principal", None)
        _log.info(
            "request",
            method=method,
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 2),
            tenant=principal.tenant if principal else None,
        )


class ProbeMiddleware:
    """Answers the paths in settings.PROBE_PATHS before host, scheme, session or origin are checked.

    Orchestrators and Prometheus call a process by its IP address, which is not in ALLOWED_HOSTS. The metrics port
    serves nothing else.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.paths = frozenset(settings.PROBE_PATHS)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Calls the probe's view, or the next layer."""
        if request.path_info not in self.paths:
            return _metrics_port_404(request) if metrics_view.on_own_port(request) else self.get_response(request)
        request.resolver_match = resolve(request.path_info)
        answer: HttpResponseBase = request.resolver_match.func(request)
        return answer


def _time_parts(response: HttpResponseBase) -> None:
    """Gives each part of a streamed response a deadline of its own; a file is only read."""
    if type(response) is StreamingHttpResponse:
        parts = cast(Iterable[bytes], response.streaming_content)
        response.streaming_content = deadline.limit_each(parts, seconds=settings.API_DEADLINE_SECONDS)


def _metrics_port_404(request: HttpRequest) -> HttpResponse:
    return problem.response(status=404, detail="Only probes and metrics are at this port.", request=request)


def _make_problem(request: HttpRequest, response: HttpResponse) -> None:
    """Turns errors raised by Django before any view (bad host, wrong method) into problem documents.

    A JSON response is left alone: it is a problem already, or the readiness report.
    """
    if response.streaming or response.get("Content-Type", "").startswith((problem.CONTENT_TYPE, "application/json")):
        return
    # In place: the headers that others have set on it (CORS, Allow, WWW-Authenticate) stay.
    response.content = problem.response(status=response.status_code, request=request).content
    response["Content-Type"] = problem.CONTENT_TYPE
    response["Cache-Control"] = "no-store"
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))
