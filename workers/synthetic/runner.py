"""One round of all checks from one region, and the loop that repeats it."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workers.synthetic.api import CheckFailed, Service
from workers.synthetic.checks import CHECKS, Probe
from workers.synthetic.outcomes import History, Outcome

USUAL_INTERVAL_SECONDS, USUAL_CHECK_SECONDS = 30.0, 20.0
_REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
_TURN_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The service to check, as which client, from which region.

    Raises: ValueError for an unusable region or URL, or missing credentials.
    """

    region: str
    base_url: str
    client_id: str
    client_secret: str
    check_seconds: float = USUAL_CHECK_SECONDS

    def __post_init__(self) -> None:
        if not _REGION.match(self.region):
            raise ValueError(f"{self.region!r} is no region: at most 32 lower-case letters, digits and hyphens")
        if not (self.client_id and self.client_secret):
            raise ValueError("the client's id and secret are missing")
        self.service()

    def service(self) -> Service:
        """The service, with time for one check."""
        return Service(self.base_url, seconds=self.check_seconds, agent=f"docent-synthetic/{self.region}")


def run_round(target: Target) -> Iterator[Outcome]:
    """Runs each check once, whatever the others find; yields each outcome as soon as it is there."""
    turn = int(time.time()) // _TURN_SECONDS
    for name, check in CHECKS.items():
        yield _run(target, name, check, turn)


def run_forever(target: Target, history: History, *, interval: float, stop: threading.Event) -> None:
    """Begins a round every `interval` seconds, or at once if the last one took longer, until it is told to stop."""
    while not stop.is_set():
        began = time.monotonic()
        for outcome in run_round(target):
            history.add([outcome])
            say(outcome)
            if stop.is_set():
                return
        stop.wait(max(0.0, began + interval - time.monotonic()))


def say(outcome: Outcome) -> None:
    """Prints the outcome as a line of JSON."""
    sys.stdout.write(json.dumps(outcome.as_json()) + "\n")
    sys.stdout.flush()


def _run(target: Target, name: str, check: Callable[[Probe], None], turn: int) -> Outcome:
    started_at, began = time.time(), time.monotonic()
    error = ""
    try:
        check(Probe(target.service(), target.client_id, target.client_secret, target.region, turn))
    except CheckFailed as failure:
        error = str(failure)
    except Exception as failure:  # noqa: BLE001  # whatever the answer was, the runner goes on
        error = f"unexpected answer: {type(failure).__name__}: {failure}"
    return Outcome(target.region, name, started_at, round(time.monotonic() - began, 4), error[:500])
