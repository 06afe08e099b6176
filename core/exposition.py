"""GET /metrics: the Prometheus page, over all processes of the server."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for a scraper that reaches the process directly.

    Through the public listener (a proxy adds its headers) they do not exist, unless METRICS_PUBLIC says so.
    """
    if not settings.METRICS_PUBLIC and any(name in request.META for name in FORWARDED):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    return response
