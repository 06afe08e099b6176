"""The Content-Security-Policy: django-csp's for pages, and nothing at all for everything else."""

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"
# An API's answer that a browser is made to show as a page may load and run nothing, and be framed by nobody.
_NO_PAGE = "default-src 'none'; frame-ancestors 'none'"


class ContentPolicyMiddleware(CSPMiddleware):
    """Pages get settings.CONTENT_SECURITY_POLICY, with a nonce where their template asks for one."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Adds the header to every answer."""
        if response.get("Content-Type", "").startswith("text/html"):
            page: HttpResponseBase = super().process_response(request, response)
            return page
        response.headers.setdefault(HEADER, _NO_PAGE)
        return response
