"""Content negotiation without negotiating: JSON in, JSON out."""

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation


class JSONOnly(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says: there is one representation, and refusing helps nobody."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """The first parser that takes the request's media type."""
        media = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        """The first renderer."""
        return renderers[0], renderers[0].media_type
