"""Builds in figures: users and similar lists a second, near-line CPU of a user, training, against `implicit` in memory.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.builds 3600 1000 160

Arguments: items, users, events of each user. Half of a user's events are of the user's own group of twenty, as in
tests.benchmarks.related. Seconds are CPU seconds of one process, for the machine is shared; with `--workers 2` the
users' chunks are scored by so many processes, and their wall time is printed as well. The peer fits ALS to the same
events and ranks 100 items for every user, in memory, on one thread, in the same run. `--profile people` (or similar,
train, nearline) prints a profile in place of figures that a profile distorts.
"""

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
import numpy as np
from cryptography.fernet import Fernet
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
os.environ.setdefault("KEY_ENCRYPTION_KEYS", Fernet.generate_key().decode())
os.environ.setdefault("LOG_LEVEL", "ERROR")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import Plan, Tenant  # noqa: E402
from accounts.models.tenant import UNLIMITED  # noqa: E402
from accounts.tenancy import scope, tenant_cache  # noqa: E402
from core import clock, leases  # noqa: E402
from recommendations.algorithms.data.dataset import Interactions  # noqa: E402
from recommendations.interactions.event_weights import resolve_event_types  # noqa: E402
from recommendations.models import EndUser, Item  # noqa: E402
from recommendations.pipeline.builds import lifecycle, publish, score, train  # noqa: E402
from recommendations.pipeline.models import Build, Chunk  # noqa: E402
from recommendations.pipeline.nearline import rescore  # noqa: E402
from tests.benchmarks.related import GROUPS, generated  # noqa: E402

SLUG, LENGTH, NEARLINE_USERS, FACTORS = "builds", 100, 100, 64
STARTED = 1_700_000_000.0
_EVENTS = """
    INSERT INTO recommendations_interaction (tenant_id, end_user_id, item_id, type_id, occurred_at, received_at, digest)
    SELECT %s, u, i, %s, to_timestamp(t), now(), lpad(to_hex(n), 32, '0')::uuid
    FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) WITH ORDINALITY AS row (u, i, t, n)
"""
_WORDS = ("amber", "river", "stone", "cloud", "maple", "north", "quiet", "silver", "echo", "field", "harbor", "lantern")


class Clock:
    """CPU and wall seconds by name; with `profiled` set to a name, the profile of what had it."""

    def __init__(self, profiled: str) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self.profiled, self.profile = profiled, cProfile.Profile()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add what the body takes."""
        cpu, wall = time.process_time(), time.perf_counter()
        if name == self.profiled:
            self.profile.enable()
        yield
        self.profile.disable()
        self.cpu[name] += time.process_time() - cpu
        self.wall[name] += time.perf_counter() - wall


def of_each(data: Interactions, count: int) -> Interactions:
    """The newest so many rows of each user; a pair of user and item is one row, however often it was drawn."""
    from_the_end = data.starts()[data.users + 1] - np.arange(data.row_count)
    return data.select(from_the_end <= count)


def fill(data: Interactions) -> int:
    """Create a tenant with these interactions, and items with titles and categories; returns its key."""
    call_command("migrate", verbosity=0)
    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        tenant = Tenant.objects.create(slug=SLUG, name="Builds", plan=plan)
    tenant_cache.load()
    draw = np.random.default_rng(3)
    group_of = np.arange(data.item_count) * GROUPS // max(1, data.item_count)
    with scope.tenant(tenant.pk):
        items = [
            Item(tenant=tenant, item_id=name, title=_title(draw, group, place), categories=[f"group {group}"])
            for place, (name, group) in enumerate(zip(data.item_ids, group_of.tolist(), strict=True))
        ]
        Item.objects.bulk_create(items, batch_size=2_000)
        users = [EndUser(tenant=tenant, user_id=name) for name in data.user_ids]
        EndUser.objects.bulk_create(users, batch_size=2_000)
        kind = resolve_event_types(tenant_id=tenant.pk, names={"view"})["view"]
        user_pks = np.array([user.pk for user in users])[data.users]
        item_pks = np.array([item.pk for item in items])[data.items]
        assert data.times is not None
        with connection.cursor() as cursor:
            columns = [user_pks.tolist(), item_pks.tolist(), (STARTED + data.times).tolist()]
            cursor.execute(_EVENTS, [tenant.pk, kind, *columns])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return int(tenant.pk)


def _title(draw: np.random.Generator, group: int, place: int) -> str:
    words = [_WORDS[(group + each) % len(_WORDS)] for each in draw.integers(0, 6, size=3)]
    return f"{' '.join(words).title()} {place}"


def build(tenant_id: int, timed: Clock, workers: int) -> Build:
    """Train, score every chunk, and publish."""
    found = lifecycle.start(tenant_id=tenant_id, reason="benchmark", now=clock.now(), ai=False)
    with timed.measure("train"):
        train.train_step(tenant_id=tenant_id, build_id=found.pk)
    if workers > 1:
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.benchmarks.builds", "0", "0", "0", "--score", f"{tenant_id},{found.pk}"]
        for each in [subprocess.Popen(command) for _ in range(workers)]:
            each.wait()
        timed.wall["workers"] = time.perf_counter() - began
    else:
        for kind in score_all(tenant_id, found.pk, timed):
            print(f"  scored {kind}", file=sys.stderr)
    with timed.measure("publish"):
        publish.publish_step(tenant_id=tenant_id, build_id=found.pk)
    return found


def score_all(tenant_id: int, build_id: int, timed: Clock) -> list[str]:
    """Score every chunk that is left, each measured under its kind; returns the kinds."""
    kinds: list[str] = []
    while True:
        with scope.tenant(tenant_id):
            waiting = Chunk.objects.filter(tenant_id=tenant_id, build_id=build_id, status=Chunk.Status.PENDING)
            waiting = waiting.filter(leases.free())  # with several workers: not what another one has
            kind = waiting.order_by("number").values_list("kind", flat=True).first()
        with timed.measure(str(kind)), threadpool_limits(limits=1):
            if not score.score_chunk(tenant_id=tenant_id, build_id=build_id):
                return sorted(set(kinds))
        kinds.append(str(kind))


def near_line(tenant_id: int, timed: Clock) -> int:
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


def peer(data: Interactions, timed: Clock) -> None:
    """Fit ALS of `implicit` and rank 100 items for every user."""
    from implicit.als import AlternatingLeastSquares

    ones = np.ones(data.row_count, dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (data.users, data.items)), shape=(data.user_count, data.item_count))
    model = AlternatingLeastSquares(factors=FACTORS, iterations=15, num_threads=1, random_state=1)
    with threadpool_limits(limits=1):
        with timed.measure("peer fit"):
            model.fit(matrix, show_progress=False)
        with timed.measure("peer rank"):
            model.recommend(np.arange(data.user_count), matrix, N=LENGTH)


def figures(data: Interactions, timed: Clock, rescored: int) -> dict[str, Any]:
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
    timed = Clock(asked.profile)
    if asked.score:
        tenant_cache.load()
        tenant_id, build_id = map(int, asked.score.split(","))
        score_all(tenant_id, build_id, timed)
        spent = {kind: round(seconds, 2) for kind, seconds in timed.cpu.items()}
        print(json.dumps({"worker_cpu_seconds": spent, "wall": round(sum(timed.wall.values()), 2)}), flush=True)
        return
    data = of_each(generated(asked.users, asked.items, 4 * asked.events), asked.events)
    tenant_id = fill(data)
    build(tenant_id, timed, asked.workers)
    rescored = near_line(tenant_id, timed)
    peer(data, timed)
    print(json.dumps(figures(data, timed, rescored), indent=2))
    if asked.profile:
        profile = pstats.Stats(timed.profile)
        profile.sort_stats("tottime").print_stats(45)
        profile.sort_stats("cumtime").print_stats(75)


if __name__ == "__main__":
    main()
