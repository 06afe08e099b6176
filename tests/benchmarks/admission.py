"""Microseconds of one admission check against a plain pipeline that reads the same two keys.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.admission

All ways run in turn in every round, on one connection, so that a busy machine hits them alike; figures are medians over
the rounds. The document is as large as a usual list. The last line is the server's own time in the script.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from core.ratelimit import Read

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
ROUNDS, CALLS = 40, 100
PIPELINE = "GET + HGETALL in a pipeline"
TENANT, DOCUMENT_BYTES, FIELDS = 987_654_321, 1_400, 5


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e6


def _asking(count: int, wanted: list["Read"], outcome: str) -> Callable[[], None]:
    """Returns an admission check with a limit of `count` a minute, which must have this outcome."""
    from core import clock
    from core.ratelimit import Limits, Quota, RateLimit, check

    limits = Limits({"read": RateLimit(f"read-{outcome}", count, 60, count)}, Quota(10**9))

    def ask() -> None:
        decision = check(
            tenant_id=TENANT,
            client_id="client",
            token_id="token",
            limits=limits,
            endpoint_class="read",
            now=clock.now(),
            reads=wanted,
        )
        if decision.outcome != outcome:
            raise SystemExit(f"{decision.outcome} in place of {outcome}: nothing was measured")

    return ask


def _ways(client: Any, tag: str) -> dict[str, Callable[[], object]]:
    """Writes the keys that are read, and returns the calls to compare by name."""
    from core import redis
    from core.ratelimit import keys, revocation_markers

    document, withdrawn = f"{tag}document", f"{tag}withdrawn"
    reads: list[Read] = [("get", document), ("hgetall", withdrawn)]
    client.set(document, os.urandom(DOCUMENT_BYTES))
    client.hset(withdrawn, mapping={f"i{number}": "0.000|12345678" for number in range(FIELDS)})
    revocation_markers.load(tenant_id=TENANT, revoked=[])
    # Spent for the next hundred years.
    client.set(keys.rate(TENANT, "read-rate_limited"), 3e15)

    def pipeline() -> None:
        pipe = client.pipeline(transaction=False)
        pipe.get(document)
        pipe.hgetall(withdrawn)
        redis.call("benchmark", lambda _: pipe.execute())

    return {
        "PING": lambda: redis.call("benchmark", lambda each: each.ping()),
        PIPELINE: pipeline,
        "check, no reads": _asking(10**9, [], "admitted"),
        "check with the same GET + HGETALL": _asking(10**9, reads, "admitted"),
        "check, refused": _asking(1, reads, "rate_limited"),
    }


def _print_table(rounds: dict[str, list[float]]) -> None:
    print(f"{ROUNDS} rounds of {CALLS} calls, {DOCUMENT_BYTES} bytes and {FIELDS} fields\n")
    print("| way | microseconds, median | of the pipeline's, median of pairs |\n|---|---|---|")
    for name, figures in rounds.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(figures, rounds[PIPELINE], strict=True))
        print(f"| {name} | {statistics.median(figures):.0f} | {ratio:.2f} |")


def main() -> None:
    """Print the table."""
    django.setup()
    from core import redis
    from core.ratelimit import keys

    client, tag = redis.client(), keys.tag(TENANT)
    ways = _ways(client, tag)
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values():
        _timed(call)
    client.config_resetstat()
    for _ in range(ROUNDS):
        for name, call in ways.items():
            rounds[name].append(_timed(call))
    _print_table(rounds)
    spent = client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
    print(f"\nThe server's own time in the script: {spent:.1f} microseconds a call.")
    client.unlink(*client.keys(f"{tag}*"))


if __name__ == "__main__":
    main()
