"""CORS, decided by whole origins: django-cors-headers' middleware with lists per deployment and per tenant.

A preflight has no caller, so it is answered for every listed origin. A response may be read by pages of the
deployment's origins and of the caller's tenant; if the token is bound to one origin, by that one only. Pages of any
listed origin may read a 401: it reveals nothing, and a page notices that its token has expired.
"""

import re
from urllib.parse import SplitResult

from corsheaders.conf import conf
from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from accounts.cors import origins

_PREFLIGHT = ("Access-Control-Request-Method", "Access-Control-Request-Headers")


class OriginMiddleware(CorsMiddleware):
    """The library's middleware compares parts of URLs with one list; this compares the whole text with the caller's."""

    def is_enabled(self, request: HttpRequest) -> bool:
        """Returns true for the API only."""
        return re.match(conf.CORS_URLS_REGEX, request.path_info) is not None

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Adds the library's headers for an origin that may read this response."""
        if not self.is_enabled(request):
            return response
        preflight = request.method == "OPTIONS" and _PREFLIGHT[0] in request.headers
        patch_vary_headers(response, ("origin", *(_PREFLIGHT if preflight else ())))
        origin = request.headers.get("Origin", "")
        if not origin:
            return response
        if preflight or response.status_code == 401:
            may = origins.may_ask(origin)
        else:
            may = origins.may_read(origin, principal=getattr(request, "principal", None))
        return super().add_response_headers(request, response) if may else response

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        """Returns true: `add_response_headers` has checked."""
        return True
