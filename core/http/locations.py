"""URLs of requests, correctly encoded: Django keeps paths decoded."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_UNREADABLE = "docent.path_unreadable"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def request_path(request: Any) -> str:
    """Returns the path, percent-encoded. Each route parameter is one segment, even with a `/` in it."""
    match, decoded = getattr(request, "resolver_match", None), str(request.path)
    if match is None or not match.kwargs:
        return escape_uri_path(decoded)
    prefix = decoded[: len(decoded) - len(request.path_info)]
    segment: Callable[[re.Match[str]], str] = lambda found: quote(str(match.kwargs[found[1]]), safe="")  # noqa: E731
    return escape_uri_path(prefix) + "/" + _PARAMETER.sub(segment, match.route)


def request_url(request: Any) -> str:
    """Returns the absolute URL, without query."""
    return str(request.build_absolute_uri(request_path(request)))


def with_readable_paths(application: Application) -> Application:
    """Marks requests whose path is not UTF-8: Django would read `%FF` as the three characters `%`, `F` and `F`."""

    def marked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # PEP 3333: the bytes of the path as Latin-1.
        path = environ.get("PATH_INFO", "")
        if not path.isascii() and not _is_utf8(path.encode("latin-1", "replace")):
            environ[_UNREADABLE] = True
        return application(environ, start_response)

    return marked


def undecodable(request: HttpRequest) -> str:
    """Returns the part of the address that is not UTF-8, `path` or `query`, else nothing. Django would replace it."""
    if request.META.get(_UNREADABLE):
        return "path"
    query = request.META.get("QUERY_STRING", "")
    if ("%" in query or not query.isascii()) and not _is_utf8(unquote_to_bytes(query.encode("latin-1", "replace"))):
        return "query"
    return ""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
