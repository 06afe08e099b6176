"""An import of events beside COPY into a staging table and one INSERT, in turn in every round.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.ingest.imports --rows 300000 --rounds 3

Prints rows per second of both for 3,000 and for 200,000 users, and the ratio of each round's pair: its median and its
range. Ours runs in this process, as `manage.py import_data` does; both sides write to the same server, each round into
a tenant of its own. The last figure is the CPU time of our process for each row.
"""

import argparse
import os
import random
import secrets
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import django
import psycopg

from tests.benchmarks.report import results

ITEMS, START = 5_000, 1_760_000_000


def write_file(path: Path, *, rows: int, users: int) -> None:
    """A CSV file of events with times and values, in the order of time."""
    draw = random.Random(rows + users)
    types = ("view", "view", "view", "click", "cart", "purchase")
    with path.open("w") as file:
        file.write("user_id,item_id,type,occurred_at,value\n")
        for number in range(rows):
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number * 3))
            user, item = draw.randrange(users), draw.randrange(ITEMS)
            file.write(f"user-{user},item-{item},{draw.choice(types)},{moment},{draw.randrange(1, 10_000) / 100}\n")


def import_ours(path: Path, tenant: Any) -> int:
    """Imports the file as the command line does; returns the number of new events."""
    from core import clock
    from recommendations.imports import cli_import
    from recommendations.imports.lifecycle import ImportOptions
    from recommendations.imports.models import Import

    job = cli_import.run(
        tenant_id=tenant.pk,
        wanted=ImportOptions(Import.Kind.EVENTS),
        path=path,
        clock=clock.now,
        progress=lambda _done, _total: None,
    )
    return int(job.created)


def new_tenant(number: int) -> Any:
    """A tenant without data."""
    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope

    with scope.all_tenants("benchmark: its tenants"):
        plan, _ = Plan.objects.get_or_create(name="Benchmark", defaults=UNLIMITED)
        return Tenant.objects.create(slug=f"bench-{number}", name="B", plan=plan)


def compare(path: Path, peer: Any, *, users: int, rows: int, rounds: int, first: int) -> None:
    """Prints the figures of one file."""
    from tests.benchmarks.peers import imports as by_hand

    ours: list[float] = []
    theirs: list[float] = []
    processor: list[float] = []
    for number in range(first, first + rounds):
        tenant = new_tenant(number)
        started, spent = time.perf_counter(), time.process_time()
        created = import_ours(path, tenant)
        ours.append(rows / (time.perf_counter() - started))
        processor.append((time.process_time() - spent) / rows * 1e6)
        started = time.perf_counter()
        loaded = by_hand.load(peer, path, tenant.pk)
        theirs.append(rows / (time.perf_counter() - started))
        if not created == loaded == rows:
            raise SystemExit(f"{created} and {loaded} new events of {rows}: nothing was measured")
    title = f"events of {users:,} users from a file"
    found = results.record("ingest.imports", title, unit="rows/s", ours=ours, peers=theirs)
    print(
        f"{users:>9,} users {found.ours:>9,.0f} rows/s  peer {found.peers:>9,.0f}  "
        f"ratio {found.ratio:.2f} ({found.least:.2f} to {found.greatest:.2f})  "
        f"CPU {statistics.median(processor):.1f} us a row",
        flush=True,
    )


def main() -> None:
    """Prepare, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, nargs="+", default=[3_000, 200_000])
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    with tempfile.TemporaryDirectory() as folder:
        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        _run(asked, Path(folder))


def _run(asked: argparse.Namespace, folder: Path) -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.benchmarks.peers import imports as by_hand

    call_command("migrate", verbosity=0)
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as peer:
        peer.execute(by_hand.SCHEMA)
        print(f"{asked.rows:,} events, {asked.rounds} rounds; medians")
        for place, users in enumerate(asked.users):
            path = folder / f"events-{users}.csv"
            write_file(path, rows=asked.rows, users=users)
            compare(path, peer, users=users, rows=asked.rows, rounds=asked.rounds, first=place * asked.rounds)


if __name__ == "__main__":
    main()
