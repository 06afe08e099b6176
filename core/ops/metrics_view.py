"""GET /metrics: the Prometheus page, over all processes of the server, with access control."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django_prometheus.exports import ExportToDjangoView


def metrics(request: HttpRequest) -> HttpResponse:
    """Serves the metrics on METRICS_PORT, with METRICS_TOKEN, or to everybody if METRICS_PUBLIC is set.

    All other callers get 404.
    """
    if not (settings.METRICS_PUBLIC or on_own_port(request) or _has_token(request)):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    for name in settings.MORE_METRICS:
        response.content += import_string(name)()
    return response


def on_own_port(request: HttpRequest) -> bool:
    """Returns true if the request came in at METRICS_PORT, judged by the listener and not by a header."""
    return bool(settings.METRICS_PORT) and request.META.get("SERVER_PORT") == str(settings.METRICS_PORT)


def _has_token(request: HttpRequest) -> bool:
    given = request.META.get("HTTP_AUTHORIZATION", "").encode("utf-8", "surrogateescape")
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given, wanted)
