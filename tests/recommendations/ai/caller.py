"""A process of its own that makes calls through a gateway, as a worker would; told what to do line by line.

`python -m tests.recommendations.ai.caller` reads JSON orders from its standard input and answers each with a line.
"""

import dataclasses
import json
import os
import sys
import time
from typing import Any

import django

django.setup()

from core import clock  # noqa: E402  # after the set-up, as Django wants it
from recommendations.ai.config.settings import AIConfiguration  # noqa: E402
from recommendations.ai.factory import build_gateway  # noqa: E402
from recommendations.ai.gateway.gateway import AIGateway  # noqa: E402
from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError  # noqa: E402
from recommendations.ai.providers.openai_chat import OpenAIProvider  # noqa: E402
from recommendations.ai.resilience.circuit_state import BreakerPolicy  # noqa: E402
from tests.recommendations.ai.films import films  # noqa: E402


class Watched(OpenAIProvider):
    """Notes begin and end of each request to the provider, and whether it was answered."""

    def __init__(self, config: AIConfiguration) -> None:
        super().__init__(config)
        self.seen: list[tuple[float, float, bool]] = []
        self._open()  # loading certificates takes longer than the calls

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """As the provider does."""
        started, answered = time.time(), False
        try:
            completion = super().complete(request, deadline_seconds=deadline_seconds)
            answered = True
        finally:
            self.seen.append((started, time.time(), answered))
        return completion


def main() -> None:
    """Answer each order twice: when it is prepared, and after the next line when it is done."""
    _say({"ready": os.getpid()})
    for line in sys.stdin:
        order = json.loads(line)
        config = AIConfiguration(
            api_key="k",
            base_url=order["base_url"],
            model="gpt-4.1-mini",
            simulated=True,
            breaker=BreakerPolicy(**order["breaker"]),
        )
        gateway, watched = build_gateway(config, today=clock.now().date()), Watched(config)
        gateway._dependencies = dataclasses.replace(gateway._dependencies, provider=watched)
        _say({"prepared": True})
        sys.stdin.readline()
        _say({"outcomes": _calls(gateway, order), "seen": watched.seen})
        gateway.close()


def _calls(gateway: AIGateway, order: dict[str, Any]) -> list[str]:
    """Rerank for other people again and again; return the outcomes that came."""
    outcomes: set[str] = set()
    ends = time.monotonic() + order["seconds"]
    while time.monotonic() < ends:
        try:
            gateway.rerank(
                tenant_id=order["tenant_id"],
                request=films(f"{os.getpid()}-{time.monotonic_ns()}", size=4),
                now=clock.now(),
                deadline_seconds=order["deadline_seconds"],
            )
            outcomes.add("ok")
        except ProviderError as error:
            outcomes.add(error.reason)
        time.sleep(0.02)
    return sorted(outcomes)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
