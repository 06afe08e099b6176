"""Options of a start, checked before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.devservers.errors import DevServerError
from config.devservers.ports import is_taken

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to
_PORTS = range(1, 65536)


class Unusable(DevServerError):
    """HOST or PORT cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """One start: what, where, and with whose AI."""

    demo: bool
    host: str
    port: int
    var: Path
    simulate_ai: bool

    @property
    def address(self) -> str:
        """An address under which this machine reaches the service, also when it listens on all of them."""
        return _ANY_ADDRESS.get(self.host, self.host)

    @property
    def base_url(self) -> str:
        """The service's URL."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{address}:{self.port}"


def read_options(*, demo: bool, var: Path, environment: Mapping[str, str] = os.environ) -> Options:
    """The options from HOST (127.0.0.1), PORT (8000) and OPENAI_API_KEY; a demo without a key simulates AI.

    Raises: Unusable when the port is no port, is taken, or may not be used at this host.
    """
    host = environment.get("HOST") or "127.0.0.1"
    raw_port = environment.get("PORT") or "8000"
    if not raw_port.isdecimal() or int(raw_port) not in _PORTS:
        raise Unusable(f"PORT must be a whole number from 1 to 65535, not {raw_port!r}.")
    port = int(raw_port)
    what = "demo" if demo else "up"
    try:
        taken = is_taken(host=host, port=port)
    except OSError as error:
        raise Unusable(f"HOST {host} with PORT {port} cannot be used: {error.strerror}.") from None
    if taken:
        raise Unusable(
            f"Port {port} of {host} is taken by another program. Choose another one: `make {what} PORT={port + 1}`."
        )
    has_key = bool(environment.get("OPENAI_API_KEY") or environment.get("OPENAI_API_KEY_FILE"))
    return Options(demo=demo, host=host, port=port, var=var, simulate_ai=demo and not has_key)
