"""Measures related users: CPU and peak memory of a build, bytes per user, time of a read, and accuracy.

    python -m config.devservers run --ephemeral bench -- python -m tests.benchmarks.related 100000 10000 40

Arguments: people, items, events of each person. Half of a person's events are of the person's own group of twenty, all
with few popular and many rare items. Prints one line of JSON.
"""

import json
import os
import resource
import sys
import time
from itertools import islice

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import Plan, Tenant  # noqa: E402
from accounts.tenancy import scope  # noqa: E402
from core import clock  # noqa: E402
from recommendations.algorithms.data.dataset import Interactions  # noqa: E402
from recommendations.algorithms.models.user_knn import similar_users  # noqa: E402
from recommendations.models import EndUser  # noqa: E402
from recommendations.pipeline.builds import similar_users as writing  # noqa: E402
from recommendations.serving.lists import similar_users as reading  # noqa: E402

GROUPS, SAMPLE, FIRST = 20, 500, 10


def generated(people: int, items: int, each: int) -> Interactions:
    """Choices as described above."""
    draw = np.random.default_rng(1)
    count, block = people * each, items // GROUPS
    users = np.repeat(np.arange(people), each)
    anything = ((draw.pareto(1.0, count) + 1) * items / 200).astype(int) % items
    own = np.minimum((draw.pareto(1.0, count) * block / 20).astype(int), block - 1)
    chosen = np.where(draw.random(count) < 0.5, (users % GROUPS) * block + own, anything)
    names = [f"u{number:07}" for number in range(people)], [f"i{number:06}" for number in range(items)]
    return Interactions.from_codes(users, chosen, draw.random(count) * 1e7, *names)


def exactness(data: Interactions) -> float:
    """The share of the first ten that exact cosines over all items name as well, over the first people."""
    exact = similar_users(data, keep=FIRST, features=data.item_count, postings=data.user_count)
    both = islice(zip(exact, similar_users(data, keep=FIRST), strict=True), SAMPLE)
    found = [(len(set(a.others.tolist()) & set(b.others.tolist())), len(a.others)) for a, b in both]
    return sum(same for same, _ in found) / sum(total for _, total in found)


def main(people: int, items: int, each: int) -> None:
    """Prints the figures."""
    call_command("migrate", verbosity=0)
    data = generated(people, items, each)
    with scope.all_tenants("benchmark"):
        plan = Plan.objects.order_by("pk").first() or Plan.objects.create(name="bench")
        tenant = Tenant.objects.create(name="bench", slug=f"bench-{people}", plan=plan)
    with scope.tenant(tenant.pk):
        EndUser.objects.bulk_create((EndUser(tenant=tenant, user_id=name) for name in data.user_ids), batch_size=5000)
    wall, cpu = time.perf_counter(), time.process_time()
    rows = writing.write(tenant_id=tenant.pk, interactions=data, now=clock.now(), checkpoint=lambda: None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('recommendations_relatedpeople')")
        size = cursor.fetchone()[0]
    taken = []
    for name in data.user_ids[:: max(1, people // 300)]:
        begun = time.perf_counter()
        reading.read_similar_users(tenant_id=tenant.pk, user_id=name)
        taken.append((time.perf_counter() - begun) * 1000)
    print(
        json.dumps(
            {
                "people": rows,
                "interactions": data.row_count,
                "wall_seconds": round(wall, 1),
                "cpu_seconds": round(cpu, 1),
                "peak_mib": peak,
                "bytes_a_person": size // people,
                "read_ms_p50": round(float(np.percentile(taken, 50)), 2),
                "read_ms_p95": round(float(np.percentile(taken, 95)), 2),
                "first_ten_exact": round(exactness(data), 3) if people <= 20_000 else None,
            }
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
