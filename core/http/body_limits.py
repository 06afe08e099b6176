"""How large a body may be, by path: little for what needs no token, most where batches and files are taken.

A limit stands in settings.BODY_LIMITS under a path, or under the beginning of paths, which ends with a slash; the
longest that fits counts. It is asked before a byte is read.
"""

from django.conf import settings

KIB = 1024
MIB = 1024 * KIB


def most_bytes(path: str) -> int:
    """The largest body at this path (without the script's name)."""
    limits: dict[str, int] = settings.BODY_LIMITS
    if path in limits:
        return limits[path]
    fitting = [name for name in limits if name.endswith("/") and path.startswith(name)]
    return limits[max(fitting, key=len)] if fitting else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def told(size: int) -> str:
    """A size in words: `16 KiB`."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"


def too_large(path: str) -> str:
    """What is said of a larger one."""
    return f"The body is larger than {told(most_bytes(path))}, the most that is taken here."
