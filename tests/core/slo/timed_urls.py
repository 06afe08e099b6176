"""The service's routes, and one that answers after a given time with a given status under the name of a read."""

import time

from django.http import HttpResponse, JsonResponse
from django.urls import include, path


def answer(_request: object, milliseconds: int, status: int) -> HttpResponse:
    """Waits and answers."""
    time.sleep(milliseconds / 1000)
    return JsonResponse({}, status=status)


urlpatterns = [
    path("timed/<int:milliseconds>/<int:status>", answer, name="recommendations-popular"),
    path("", include("config.urls")),
]
handler404 = "core.http.problem.page_not_found"
handler500 = "core.http.problem.server_error"
