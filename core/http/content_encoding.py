"""Compressed request bodies: gzip is decompressed within bounds; any other coding is 415.

`Content-Encoding` is the caller's choice (RFC 9110, section 8.4). What is behind it, fingerprints included, sees the
plain body.
"""

import zlib
from io import BytesIO
from typing import Any

from core.errors import InvalidInput
from core.http.body_limits import format_size
from core.http.json_text import BadJSON, BodyTooLarge

PLAIN = frozenset({"", "identity"})
GZIP = frozenset({"gzip", "x-gzip"})
MAX_MEMBERS = 16
MAX_RATIO = 200
# Below this size any ratio is accepted.
RATIO_FROM = 256 * 1024
_WITH_GZIP_HEADER = 31


class CodingRefused(InvalidInput):
    """The body's coding or charset is not supported."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


def decode_stream(stream: Any, coding: str, *, most: int) -> Any:
    """Returns the stream of the plain body, of at most `most` bytes. Errors are raised when it is read."""
    words = [word.strip().lower() for word in coding.split(",")]
    codings = [word for word in words if word not in PLAIN]
    return _GzipStream(stream, codings, most) if codings else stream


class _GzipStream:
    """Decompresses the whole body at the first read; its size is bounded."""

    def __init__(self, stream: Any, codings: list[str], most: int) -> None:
        self._stream, self._codings, self._most = stream, codings, most
        self._plain: BytesIO | None = None

    def read(self, size: int = -1) -> bytes:
        return self._unpacked().read(size)

    def readline(self, size: int = -1) -> bytes:
        return self._unpacked().readline(size)

    def close(self) -> None:
        """As Django does with a body that it has read."""
        self._stream.close()

    def _unpacked(self) -> BytesIO:
        if self._plain is None:
            if len(self._codings) > 1 or self._codings[0] not in GZIP:
                named = ", ".join(self._codings)[:60]
                raise CodingRefused(f"Content-Encoding {named!r} is not supported; send the body plain or as gzip.")
            self._plain = BytesIO(gunzip(self._stream.read(), most=self._most))
        return self._plain


def gunzip(packed: bytes, *, most: int) -> bytes:
    """Returns the decompressed bytes.

    Raises: BadJSON for what is no whole gzip, or is made of more than MAX_MEMBERS; BodyTooLarge for more than `most`
    bytes, or more than MAX_RATIO times what came.
    """
    most = min(most, max(RATIO_FROM, MAX_RATIO * len(packed)))
    parts, left = [], most
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(_WITH_GZIP_HEADER)
        try:
            part = member.decompress(packed, left + 1)
        except zlib.error:
            raise BadJSON("Content-Encoding is gzip, and the body is not gzip, or is damaged.") from None
        if len(part) > left:
            raise BodyTooLarge(f"The body decompresses to more than {format_size(most)}, the limit of this operation.")
        if not member.eof:
            raise BadJSON("The gzip of the body ends early.")
        parts.append(part)
        left -= len(part)
        packed = member.unused_data
        if not packed:
            return b"".join(parts)
    raise BadJSON(f"The body is gzip of more than {MAX_MEMBERS} members.")
