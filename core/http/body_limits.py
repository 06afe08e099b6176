"""Size limits of request bodies by path: small without a token, largest for batches and files.

A limit is in settings.BODY_LIMITS under a path, or under a prefix that ends with a slash; the longest match wins. It
is checked before a byte is read.
"""

from django.conf import settings

KIB = 1024
MIB = 1024 * KIB


def max_bytes(path: str) -> int:
    """Returns the largest body, in bytes, at this path (without the script's name)."""
    limits: dict[str, int] = settings.BODY_LIMITS
    if path in limits:
        return limits[path]
    fitting = [name for name in limits if name.endswith("/") and path.startswith(name)]
    return limits[max(fitting, key=len)] if fitting else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def format_size(size: int) -> str:
    """Returns a size as text: `16 KiB`."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"


def too_large_detail(path: str) -> str:
    """Returns the error text for a larger body."""
    return f"The body is larger than {format_size(max_bytes(path))}, the limit of this operation."
