"""The OpenAPI document, rendered once per process: it depends on the code only, and takes a third of a second."""

import functools
import threading
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotModified
from django.utils.http import parse_etags
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

from core.http import etags

_CACHE_CONTROL = "public, max-age=300"
_making = threading.Lock()


def yaml(request: HttpRequest) -> HttpResponse:
    """Serves the document as YAML."""
    return _answer(request, OpenApiYamlRenderer)


def json(request: HttpRequest) -> HttpResponse:
    """Serves the document as JSON."""
    return _answer(request, OpenApiJsonRenderer)


def clear() -> None:
    """Renders the document again at the next request."""
    _render.cache_clear()


def _answer(request: HttpRequest, renderer: Callable[[], OpenApiYamlRenderer | OpenApiJsonRenderer]) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with _making:  # concurrent requests wait instead of rendering it as well
        body, content_type, tag = _render(renderer)
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    unchanged = known == ["*"] or tag in (each.removeprefix("W/") for each in known)
    response = HttpResponseNotModified() if unchanged else HttpResponse(body, content_type=content_type)
    response["ETag"] = tag
    response["Cache-Control"] = _CACHE_CONTROL
    return response


@functools.cache
def _render(renderer: Callable[[], OpenApiYamlRenderer | OpenApiJsonRenderer]) -> tuple[bytes, str, str]:
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    made = renderer()
    body: bytes = made.render(document, renderer_context={})
    return body, f"{made.media_type}; charset=utf-8", etags.etag([body])
