"""The steps of a build, measured, in one process or with several for the chunks."""

import subprocess
import sys
import time

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from accounts.tenancy import scope
from core import clock, leases
from recommendations.pipeline.builds import lifecycle, publish, score, train
from recommendations.pipeline.models import Build, Chunk
from tests.benchmarks.builds.stopwatch import Stopwatch


def build(tenant_id: int, timed: Stopwatch, workers: int) -> Build:
    """Train, score every chunk, and publish."""
    found = lifecycle.start(tenant_id=tenant_id, reason="benchmark", now=clock.now(), ai=False)
    with timed.measure("train"):
        train.train_step(tenant_id=tenant_id, build_id=found.pk)
    print(f"  trained in {timed.cpu['train']:.1f} s", file=sys.stderr, flush=True)
    if workers > 1:
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.benchmarks.builds", "0", "0", "0", "--score", f"{tenant_id},{found.pk}"]
        for each in [subprocess.Popen(command) for _ in range(workers)]:
            each.wait()
        timed.wall["workers"] = time.perf_counter() - began
    else:
        for kind in score_all(tenant_id, found.pk, timed):
            print(f"  scored {kind} in {timed.cpu[kind]:.1f} s", file=sys.stderr, flush=True)
    with timed.measure("publish"):
        publish.publish_step(tenant_id=tenant_id, build_id=found.pk)
    return found


def score_all(tenant_id: int, build_id: int, timed: Stopwatch) -> list[str]:
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
