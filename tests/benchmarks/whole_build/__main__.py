"""A whole build beside `implicit`: the ratio of their CPU seconds, part by part.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.whole_build
    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.whole_build --users 600 --items 900

By default a million events: 6,000 users with 167 each, of 3,700 items; some three minutes on one core. The build reads
the events from PostgreSQL, trains, makes the list of every user and the related items of every item, stores them,
publishes and warms Redis, all in this process, beside PostgreSQL and Redis in theirs. The peer fits ALS to the same
events and ranks 100 items for every user, in memory and on one thread; it runs before and after the build, and the mean
counts. Seconds are CPU seconds of this process, since the machine is shared; wall seconds are printed as well.
`--profile train` (or people, similar, popular, publish) prints a profile in place of figures that a profile distorts.
"""

import argparse
import json
import pstats
import resource
import statistics
import sys
from typing import Any

from tests.benchmarks.builds import tenant
from tests.benchmarks.builds.peer import fit_and_rank
from tests.benchmarks.builds.steps import build
from tests.benchmarks.builds.stopwatch import Stopwatch
from tests.benchmarks.report import results

PARTS = ("train", "people", "similar", "popular", "publish")
# Runs of the peer before the build, and as many after it.
PEER_ROUNDS = 1


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("items", 3_700), ("users", 6_000), ("events", 167)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--profile", choices=PARTS, default="")
    asked = parser.parse_args()
    data = tenant.interactions(items=asked.items, users=asked.users, events=asked.events)
    tenant_id = tenant.fill(data)
    timed, peers = Stopwatch(asked.profile), [Stopwatch() for _ in range(2 * PEER_ROUNDS)]
    for peer in peers[:PEER_ROUNDS]:
        fit_and_rank(data, peer)
    print(f"the peer took {sum(peers[0].cpu.values()):.1f} s, now the build", file=sys.stderr, flush=True)
    build(tenant_id, timed, workers=1)
    for peer in peers[PEER_ROUNDS:]:
        fit_and_rank(data, peer)
    whole = sum(timed.cpu.get(name, 0.0) for name in PARTS)
    results.record(
        "whole_build",
        f"a build of {data.row_count:,} events of {data.user_count:,} users against ALS, fitted and ranked in memory",
        unit="events per CPU second",
        ours=[data.row_count / whole] * len(peers),
        peers=[data.row_count / sum(peer.cpu.values()) for peer in peers],
    )
    size = {"items": data.item_count, "users": data.user_count, "events": data.row_count}
    print(json.dumps(size | figures(timed, peers), indent=2))
    if asked.profile:
        profile = pstats.Stats(timed.profile)
        profile.sort_stats("tottime").print_stats(45)
        profile.sort_stats("cumtime").print_stats(75)


def figures(timed: Stopwatch, peers: list[Stopwatch]) -> dict[str, Any]:
    """Return seconds of each part, of the whole and of the peer, and the ratio with its spread over the peer's runs."""
    of_peer = [sum(each.cpu.values()) for each in peers]
    cpu = {name: timed.cpu.get(name, 0.0) for name in PARTS}
    whole = sum(cpu.values())
    return {
        "cpu_seconds": {name: round(seconds, 2) for name, seconds in cpu.items()} | {"whole": round(whole, 2)},
        "wall_seconds": round(sum(timed.wall.get(name, 0.0) for name in PARTS), 2),
        "peer_cpu_seconds": round(statistics.mean(of_peer), 2),
        "build_of_peer": round(whole / statistics.mean(of_peer), 1),
        "spread": [round(whole / max(of_peer), 1), round(whole / min(of_peer), 1)],
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
