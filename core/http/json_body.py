"""DRF's parser of JSON bodies and the content negotiation that goes with it: JSON in, JSON out."""

import re
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser

from core.http import body_limits, json_text
from core.http.content_encoding import CodingRefused

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";]*)', re.IGNORECASE)
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii", ""})


class BoundedJSONParser(JSONParser):
    """UTF-8 only (RFC 8259, section 8.1), bounded in size, values and depth."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Returns the parsed body.

        Raises: json_text.BadJSON, json_text.BodyTooLarge; CodingRefused for a charset that is not UTF-8.
        """
        request = (parser_context or {})["request"]
        refuse_charset(media_type or "")
        path = request._request.path_info  # noqa: SLF001  # DRF's request has no script's name apart
        most = body_limits.max_bytes(path)
        body = stream.read(most + 1)
        if len(body) > most:
            raise json_text.BodyTooLarge(body_limits.too_large_detail(path))
        return json_text.parse(body, json_text.Bounds.for_body_size(most))


def refuse_charset(media_type: str) -> None:
    """Raises: CodingRefused where a content type names a charset other than UTF-8."""
    named = _CHARSET.search(media_type)
    if named is not None and named[1].strip().lower() not in _UTF_8:
        shown = named[1].strip()[:40]
        raise CodingRefused(f"The charset {shown!r} is not supported; send UTF-8.")


class JSONOnly(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says: there is one representation, and a refusal would not help the client."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """Returns the first parser for the request's media type."""
        media = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        """Returns the first renderer."""
        return renderers[0], renderers[0].media_type
