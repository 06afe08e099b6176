"""pytest fixtures for the OpenAI simulator: a real server on a free port of the loopback interface."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.openai_server import Simulator

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SimulatorControl:
    """Speaks to a simulator's admin calls, wherever it runs."""

    def __init__(self, *, base_url: str) -> None:
        self.base_url = base_url
        """The value for ``OPENAI_BASE_URL``."""
        self._admin = base_url.removesuffix("/v1") + "/admin"

    def fault(self, kind: str, **params: Any) -> None:
        """Switch a fault on: ``count``, ``probability``, ``endpoint`` and what the kind takes."""
        self._call("POST", "/faults", {"kind": kind, **params})

    def clear(self) -> None:
        """Switch all faults off; requests that hang end."""
        self._call("DELETE", "/faults")

    def reset(self) -> None:
        """Switch all faults off and forget counters and requests."""
        self.clear()
        self._call("DELETE", "/state")

    def state(self) -> dict[str, Any]:
        """Return counters, active faults and the requests seen."""
        return self._call("GET", "/state")

    def calls(self, endpoint: str = "chat/completions") -> int:
        """Return how many requests reached an endpoint."""
        return int(self.state()["requests"].get(endpoint, 0))

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._admin + path, data=data, method=method)
        with _OPENER.open(request, timeout=5) as answer:
            result: dict[str, Any] = json.load(answer)
        return result


@pytest.fixture(scope="session")
def openai_server() -> Iterator[Simulator]:
    """Run one simulator for the whole session."""
    with Simulator(latency_seconds=0.005) as simulator:
        yield simulator


@pytest.fixture
def openai_simulator(openai_server: Simulator) -> Iterator[SimulatorControl]:
    """Give a test the simulator, healthy and with counters at zero."""
    control = SimulatorControl(base_url=openai_server.base_url)
    control.reset()
    yield control
    control.reset()
