"""Faults that can be injected, and their frequency."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS: Mapping[str, str] = {
    "throttled": "429 with Retry-After; seconds (5), header (true), http_date (false)",
    "insufficient_quota": "429 whose code says that the money is spent",
    "unauthorized": "401 invalid_api_key",
    "bad_request": "400 invalid_request_error",
    "server_error": "5xx; status (500), seconds (a Retry-After, none)",
    "black_hole": "takes the request and never answers; seconds (3600)",
    "slow_drip": "one byte at a time; interval (0.1), part (body or headers)",
    "garbage": "200 without valid JSON; part (content or body)",
    "truncated": "finish_reason length, the content cut in the middle",
    "refusal": "the model refuses",
    "hallucinated": "schema-valid numbers that do not exist; share (1.0)",
    "duplicates": "schema-valid, the first number named again and again; share (1.0)",
    "missing": "schema-valid, only the first part of the candidates; share (0.3) left out",
    "injected_reasons": "schema-valid, reasons with links, prices, markup, orders; text (one for all)",
    "obedient": "follows orders in the data, as a careless model would; trigger (what an order holds)",
    "wrong_usage": "usage figures replaced; usage (a mapping; absent figures stay), drop (false)",
    "connection_reset": "TCP reset instead of an answer",
    "batch_slow": "a batch ends after seconds (3600); endpoint batches",
    "batch_expired": "a batch expires, a share (0.5) of it answered; endpoint batches",
    "batch_failed": "a batch fails as a whole; endpoint batches",
    "batch_partly": "a share (0.5) of a batch's lines is not answered; endpoint batches",
    "strict": "422 for fields that only OpenAI knows, as a validating compatible server; the input is repeated",
    "canned": "status (200) and body (a mapping or text) as given, for a choice's message: content or message",
    "latency": "answers normally after seconds (1)",
}


class UnknownFault(ValueError):
    """The request for a fault cannot be understood."""


@dataclass
class Fault:
    """One fault: fires ``count`` times (None: until it is taken away) with a probability."""

    kind: str
    count: int | None = None
    probability: float = 1.0
    endpoint: str = ""
    """"chat/completions", "embeddings" or empty for both; "batches" for how a batch ends, "batches-transport" for its
    calls, each only where it is named."""
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: object) -> "Fault":
        """Read what was posted.

        Raises:
            UnknownFault: with a sentence that says what is wrong.
        """
        if not isinstance(body, dict) or body.get("kind") not in KINDS:
            raise UnknownFault(f"kind must be one of {', '.join(KINDS)}")
        rest = {key: value for key, value in body.items() if key not in {"kind", "count", "probability", "endpoint"}}
        count, probability = body.get("count"), body.get("probability", 1.0)
        if count is not None and (not isinstance(count, int) or count < 1):
            raise UnknownFault("count must be a whole number from 1 on, or null")
        if not isinstance(probability, int | float) or not 0 < probability <= 1:
            raise UnknownFault("probability must be above 0 and at most 1")
        return cls(
            kind=body["kind"],
            count=count,
            probability=probability,
            endpoint=str(body.get("endpoint", "")),
            params=rest,
        )

    def number(self, name: str, default: float) -> float:
        """Return a numeric parameter."""
        return float(self.params.get(name, default))


class Faults:
    """The faults that are switched on; the first that fits a request is the one that happens."""

    def __init__(self, *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._active: list[Fault] = []
        self._random = random.Random(seed)
        self.fired: Counter[str] = Counter()
        self.cleared = threading.Event()
        """Replaced and set at every clear(), so that hanging answers end."""

    def add(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are on already."""
        with self._lock:
            self._active.append(fault)

    def clear(self) -> None:
        """Switch all faults off and let go of requests that hang in one."""
        with self._lock:
            self._active.clear()
            self.cleared.set()
            self.cleared = threading.Event()

    def reset_counters(self) -> None:
        """Forget how often each kind fired."""
        with self._lock:
            self.fired.clear()

    def take(self, endpoint: str) -> Fault | None:
        """Return the fault for one request, and count it down."""
        with self._lock:
            for fault in self._active:
                wanted = {endpoint} if endpoint.startswith("batches") else {"", endpoint}
                if fault.endpoint not in wanted or self._random.random() >= fault.probability:
                    continue
                self.fired[fault.kind] += 1
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._active.remove(fault)
                return fault
        return None

    def described(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON."""
        with self._lock:
            return [
                {"kind": each.kind, "count": each.count, "probability": each.probability, **each.params}
                for each in self._active
            ]
