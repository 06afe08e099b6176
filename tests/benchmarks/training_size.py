"""A million events from a file to an artefact, through the product: how long, how much memory, and whether bounds hold.

    .venv/bin/python -m config.devservers run --ephemeral bench -- .venv/bin/python -m tests.benchmarks.training_size

The set is `million` of tests.benchmarks.sets, imported by `manage.py import_data`. Each training is the first step of a
build, in a process of its own, so that its peak of memory is its own: as it comes, bounded by TRAIN_MAX_ROWS, and with
too little TRAIN_SECONDS. The status is 1 where a bound did not hold, or the build did not say so.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django
import numpy as np
from cryptography.fernet import Fernet

SLUG = "million"
CASES = {
    "as it comes": {},
    "TRAIN_MAX_ROWS=300000": {"TRAIN_MAX_ROWS": "300000"},
    "TRAIN_SECONDS=45": {"TRAIN_SECONDS": "45"},
}
# The budget decides what is begun. What was begun is finished, and weights are chosen in any case.
OVERRUN_SECONDS = 60.0


def main() -> None:
    """Import, then train in one process after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="used by the benchmark itself")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("KEY_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    django.setup()
    asked = parser.parse_args()
    if asked.train:
        _train()
        return
    _fill()
    failed = []
    for name in asked.cases:
        settings = CASES[name]
        print(f"\n{name}", flush=True)
        command = [sys.executable, "-m", "tests.benchmarks.training_size", "--train"]
        ran = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
        print("\n".join(f"  {line}" for line in (ran.stdout + ran.stderr[-2_000:] * bool(ran.returncode)).splitlines()))
        if ran.returncode or not all(setting in ran.stdout for setting in settings):
            failed.append(name)
    if failed:
        sys.exit(f"Not as it should be: {', '.join(failed)}")


def _fill() -> None:
    from django.core.management import call_command

    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope
    from tests.benchmarks.sets import million

    call_command("migrate", verbosity=0)
    with scope.all_tenants("benchmark: its tenant"):
        plan = Plan.objects.create(name="Benchmark", **UNLIMITED)
        Tenant.objects.create(slug=SLUG, name="Million", plan=plan)
    rows = million().rows
    assert rows.times is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["user_id", "item_id", "type", "occurred_at"])
            moments = rows.times.astype(np.int64).tolist()
            writer.writerows((u, i, "view", t) for u, i, t in zip(rows.users, rows.items, moments, strict=True))
        started = time.monotonic()
        call_command("import_data", tenant=SLUG, events=path, no_build=True, verbosity=0)
        print(f"{len(rows.users):,} events imported in {time.monotonic() - started:.0f} s", flush=True)


def _train() -> None:
    from django.conf import settings

    from accounts.models import Tenant
    from accounts.tenancy import scope
    from core import clock
    from recommendations.models import Artefact
    from recommendations.pipeline.builds import lifecycle, train

    with scope.all_tenants("benchmark: its tenant"):
        tenant_id = Tenant.objects.get(slug=SLUG).pk
    build = lifecycle.start(tenant_id=tenant_id, reason="benchmark", now=clock.now(), ai=False, gated=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    train.train_step(tenant_id=tenant_id, build_id=build.pk)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with scope.tenant(tenant_id):
        build.refresh_from_db()
        artefact = Artefact.objects.latest("pk")
    lifecycle.fail(tenant_id=tenant_id, build_id=build.pk, error="benchmark: trained, no lists wanted")
    print(
        f"{artefact.interactions:,} events, {artefact.people:,} people, {artefact.items:,} items: "
        f"{artefact.train_seconds:.0f} s, peak {peak / 1024:,.0f} MB ({before / 1024:,.0f} MB before it began), "
        f"artefact {artefact.size_bytes / 1e6:.0f} MB, ndcg@10 on its fold {artefact.ndcg:.4f}"
    )
    print(build.notes or "nothing to note")
    if artefact.interactions > settings.TRAIN_MAX_ROWS:
        sys.exit("More rows than TRAIN_MAX_ROWS.")
    if settings.TRAIN_SECONDS and artefact.train_seconds > settings.TRAIN_SECONDS + OVERRUN_SECONDS:
        sys.exit("Longer than TRAIN_SECONDS.")


if __name__ == "__main__":
    main()
