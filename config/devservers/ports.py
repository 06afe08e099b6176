"""Ports of 127.0.0.1."""

import errno
import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Returns a free port. Another process may take it first, so be prepared to ask again."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def is_taken(*, host: str, port: int) -> bool:
    """Returns true if something listens on this port already.

    Raises: OSError when this host has no such address, or the port may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False
