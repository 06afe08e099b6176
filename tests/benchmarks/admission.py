"""Microseconds of one admission check against a plain pipeline that reads the same two keys.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.admission

All ways run in turn in every round, on one connection, so that a busy machine hits them alike; figures are medians over
the rounds. The document is as large as a usual list. The last line is the server's own time in the script.
"""

import os
import statistics
import time
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
ROUNDS, CALLS = 40, 100
TENANT, DOCUMENT_BYTES, FIELDS = 987_654_321, 1_400, 5


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e6


def main() -> None:
    """Print the table."""
    django.setup()
    from core import clock, redis
    from core.ratelimit import Limits, Quota, RateLimit, Read, check, keys, revocation_markers

    client, tag = redis.client(), keys.tag(TENANT)
    document, withdrawn = f"{tag}document", f"{tag}withdrawn"
    reads: list[Read] = [("get", document), ("hgetall", withdrawn)]
    client.set(document, os.urandom(DOCUMENT_BYTES))
    client.hset(withdrawn, mapping={f"i{number}": "0.000|12345678" for number in range(FIELDS)})
    revocation_markers.load(tenant_id=TENANT, revoked=[])

    def pipeline() -> None:
        pipe = client.pipeline(transaction=False)
        pipe.get(document)
        pipe.hgetall(withdrawn)
        redis.call("benchmark", lambda _: pipe.execute())

    def asking(count: int, wanted: list[Read], outcome: str) -> Callable[[], None]:
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

    # Spent for the next hundred years.
    client.set(keys.rate(TENANT, "read-rate_limited"), 3e15)
    ways = {
        "PING": lambda: redis.call("benchmark", lambda each: each.ping()),
        "GET + HGETALL in a pipeline": pipeline,
        "check, no reads": asking(10**9, [], "admitted"),
        "check with the same GET + HGETALL": asking(10**9, reads, "admitted"),
        "check, refused": asking(1, reads, "rate_limited"),
    }
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values():
        _timed(call)
    client.config_resetstat()
    for _ in range(ROUNDS):
        for name, call in ways.items():
            rounds[name].append(_timed(call))
    base = rounds["GET + HGETALL in a pipeline"]
    print(f"{ROUNDS} rounds of {CALLS} calls, {DOCUMENT_BYTES} bytes and {FIELDS} fields\n")
    print("| way | microseconds, median | of the pipeline's, median of pairs |\n|---|---|---|")
    for name, figures in rounds.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(figures, base, strict=True))
        print(f"| {name} | {statistics.median(figures):.0f} | {ratio:.2f} |")
    spent = client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
    print(f"\nThe server's own time in the script: {spent:.1f} microseconds a call.")
    client.unlink(*client.keys(f"{tag}*"))


if __name__ == "__main__":
    main()
