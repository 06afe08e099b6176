"""Builds in figures: users and similar lists a second, near-line CPU of a user, training, against `implicit` in memory.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.builds 3600 1000 160

Arguments: items, users, events of each user. Half of a user's events are of the user's own group of twenty, as in
tests.benchmarks.related. Seconds are CPU seconds of one process, for the machine is shared; with `--workers 2` the
users' chunks are scored by so many processes, and their wall time is printed as well. The peer fits ALS to the same
events and ranks 100 items for every user, in memory, on one thread, in the same run. `--profile people` (or similar,
train, nearline) prints a profile in place of figures that a profile distorts.
"""

import argparse
import json
import pstats
from typing import Any

from accounts.tenancy import scope, tenant_cache
from core import clock
from recommendations.algorithms.data.dataset import Interactions
from recommendations.models import EndUser
from recommendations.pipeline.nearline import rescore
from tests.benchmarks.builds import tenant
from tests.benchmarks.builds.peer import fit_and_rank
from tests.benchmarks.builds.steps import build, score_all
from tests.benchmarks.builds.stopwatch import Stopwatch

NEARLINE_USERS = 100


def near_line(tenant_id: int, timed: Stopwatch) -> int:
    """Rescore users one by one; returns how many."""
    with scope.tenant(tenant_id):
        pks = list(EndUser.objects.filter(tenant_id=tenant_id).order_by("pk").values_list("pk", flat=True))
    pks = pks[:: max(1, len(pks) // NEARLINE_USERS)]
    with scope.tenant(tenant_id):
        EndUser.objects.filter(tenant_id=tenant_id).update(dirty_at=None)
    for number, pk in enumerate(pks):
        with scope.tenant(tenant_id):
            EndUser.objects.filter(tenant_id=tenant_id, pk=pk).update(dirty_at=clock.database_now())
        with timed.measure("nearline" if number else "nearline, first"):
            done = rescore.rescore(tenant_id=tenant_id, user_pks=[pk])
        if done != 1:
            raise SystemExit(f"{done} users were rescored in place of 1: nothing was measured")
    return len(pks) - 1


def figures(data: Interactions, timed: Stopwatch, rescored: int) -> dict[str, Any]:
    """The figures to print; seconds are of CPU."""
    cpu, users = timed.cpu, data.user_count
    people, similar = cpu.get("people", 0.0), cpu.get("similar", 0.0)
    whole = sum(cpu[name] for name in ("train", "people", "similar", "popular", "publish") if name in cpu)
    return {
        "items": data.item_count,
        "users": users,
        "events": data.row_count,
        "train_seconds": round(cpu["train"], 2),
        "users_a_second": round(users / people) if people else None,
        "users_a_second_with_publishing": round(users / (people + cpu["publish"])) if people else None,
        "similar_lists_a_second": round(data.item_count / similar) if similar else None,
        "publish_seconds": round(cpu["publish"], 2),
        "nearline_ms_a_user": round(1_000 * cpu["nearline"] / max(1, rescored), 2),
        "workers_wall_seconds": round(timed.wall["workers"], 2) if "workers" in timed.wall else None,
        "peer_seconds": round(cpu["peer fit"] + cpu["peer rank"], 2),
        "build_of_peer": round(whole / (cpu["peer fit"] + cpu["peer rank"]), 1) if people else None,
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("items", 3_600), ("users", 1_000), ("events", 160)):
        parser.add_argument(name, type=int, nargs="?", default=default)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", choices=["people", "similar", "train", "nearline", "publish"], default="")
    parser.add_argument("--score", help="used by the benchmark itself")
    asked = parser.parse_args()
    timed = Stopwatch(asked.profile)
    if asked.score:
        tenant_cache.load()
        tenant_id, build_id = map(int, asked.score.split(","))
        score_all(tenant_id, build_id, timed)
        spent = {kind: round(seconds, 2) for kind, seconds in timed.cpu.items()}
        print(json.dumps({"worker_cpu_seconds": spent, "wall": round(sum(timed.wall.values()), 2)}), flush=True)
        return
    data = tenant.interactions(items=asked.items, users=asked.users, events=asked.events)
    tenant_id = tenant.fill(data)
    build(tenant_id, timed, asked.workers)
    rescored = near_line(tenant_id, timed)
    fit_and_rank(data, timed)
    print(json.dumps(figures(data, timed, rescored), indent=2))
    if asked.profile:
        profile = pstats.Stats(timed.profile)
        profile.sort_stats("tottime").print_stats(45)
        profile.sort_stats("cumtime").print_stats(75)


if __name__ == "__main__":
    main()
