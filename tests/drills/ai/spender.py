"""A worker process that spends: eight threads ask small questions until their tenant's budget is spent.

`python -m tests.drills.ai.spender BASE_URL TENANT_ID CAP_TOKENS SECONDS [unguarded]`. Prints `ready`, begins after a
line on its standard input, and ends by itself. `unguarded` takes the condition out of the budget's UPDATE.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.db.models import Q  # noqa: E402  # after the set-up, as Django wants it

from core import clock  # noqa: E402
from recommendations.ai.budget import caps  # noqa: E402
from recommendations.ai.config.settings import AIConfiguration  # noqa: E402
from recommendations.ai.factory import build_gateway  # noqa: E402
from recommendations.ai.gateway.gateway import AIGateway  # noqa: E402
from recommendations.ai.money import BudgetLimit, BudgetLimits  # noqa: E402
from recommendations.ai.protocol import CompletionRequest, Message, ProviderError  # noqa: E402

THREADS = 8
DEADLINE_SECONDS = 20
QUESTION = CompletionRequest(
    purpose="drill",
    messages=(Message(role="user", content="What?"),),
    schema_name="answer",
    schema={
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
)


def main() -> None:
    """Spend."""
    base_url, tenant_id, cap, seconds, *unguarded = sys.argv[1:]
    if unguarded:
        caps.Cap.room_for = lambda _cap, _amount: Q()  # type: ignore[method-assign, assignment]
    gateway = build_gateway(
        AIConfiguration(
            api_key="k",
            base_url=base_url,
            model="gpt-4.1-mini",
            simulated=True,
            max_output_tokens=40,
            budget=BudgetLimits(tenant_day=BudgetLimit(tokens=int(cap))),
        ),
        today=clock.now().date(),
    )
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: _spend(gateway, int(tenant_id), float(seconds)), range(THREADS)))


def _spend(gateway: AIGateway, tenant_id: int, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            gateway.complete(tenant_id=tenant_id, request=QUESTION, now=clock.now(), deadline_seconds=DEADLINE_SECONDS)
        except ProviderError:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
