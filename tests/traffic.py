"""A load generator: requests at a fixed rate over kept connections, each with its outcome as the client saw it."""

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from config.devservers.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a kind, such as the name of its endpoint."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answered request; status 0 where there was no answer."""

    kind: str
    method: str
    status: int
    seconds: float


def send(port: int, make: Callable[[int], Request], *, rate: float, seconds: float, callers: int) -> list[Outcome]:
    """Sends the requests `make(0)`, `make(1)`, ... at the times that the rate sets, and waits for all answers.

    A request that finds all callers busy is sent late, but is sent.
    """
    outcomes: list[Outcome] = []
    numbers = iter(range(round(rate * seconds)))
    lock = threading.Lock()
    started = time.monotonic()

    def call() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            outcome = _one(connection, make(number))
            with lock:
                outcomes.append(outcome)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _one(connection: http.client.HTTPConnection, request: Request) -> Outcome:
    if connection.sock is None:
        connection.connect()  # a connection's making is not the answer's time
    started = time.perf_counter()
    try:
        connection.request(request.method, request.path, body=request.body, headers=dict(request.headers))
        response = connection.getresponse()
        response.read()
        status = response.status
    except (OSError, http.client.HTTPException):
        connection.close()
        status = 0
    return Outcome(request.kind, request.method, status, time.perf_counter() - started)


def p95(outcomes: Iterable[Outcome]) -> float:
    """The 95th percentile of the answers' times, in seconds."""
    return quantiles([each.seconds for each in outcomes], n=100)[94]


def availability(outcomes: Sequence[Outcome]) -> float:
    """The share of requests that were answered without a server error."""
    return sum(0 < each.status < 500 for each in outcomes) / len(outcomes)
