"""Memory management of the C library."""

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_ARENAS = 2
LARGE = 1024 * 1024


def return_large_blocks() -> None:
    """Returns blocks of 1 MiB and more, such as batch bodies, to the system as soon as they are freed.

    glibc raises that limit by itself to 32 MiB with the first large block, and keeps what is smaller; and it gives each
    thread an arena of its own, each of which keeps the most that it ever needed, so there are two for all. With another
    C library nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_ARENA_MAX, _ARENAS)
