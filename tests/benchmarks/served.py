"""NDCG@10 of what the API serves: the train part imported, built by workers, every test person's list read over HTTP.

    .venv/bin/python -m config.devservers run --ephemeral served -- .venv/bin/python -m tests.benchmarks.served

MovieLens latest-small under `last10` (with the validation `last`), `global80`, and `rand10` without times, each as a
tenant of its own with default settings. `--evaluate` asks `manage.py evaluate` for the same split of the same file too,
and leaves with status 1 where the two differ by more than 0.002.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import numpy as np
from cryptography.fernet import Fernet

from recommendations.algorithms.metrics.ranking import summarise
from recommendations.algorithms.validation.splitting import Rows, Split, split
from tests.benchmarks.quality import EVENTS, read_events

TOLERANCE = 0.002
BATCH = 100
# The tenant's validation, by protocol.
SETTING = {"last10": "last", "global80": "auto", "rand10": "auto"}


@dataclass(frozen=True, eq=False)
class Division:
    """A file of events, its rows, and how a protocol divides them. `rand10` has no times."""

    protocol: str
    seed: int
    rows: Rows
    parts: Split

    @classmethod
    def from_protocol(cls, protocol: str, seed: int) -> Division:
        rows = read_events(EVENTS)
        if protocol == "rand10":
            rows = Rows(rows.users, rows.items)
        return cls(protocol, seed, rows, split(rows, protocol=protocol, seed=seed))

    def write_train(self, path: Path) -> None:
        """Write the train part as a file to import."""
        self._write(path, self.parts.train.tolist())

    def write_all(self, path: Path) -> None:
        """Write the file that `evaluate` divides itself."""
        self._write(path, [True] * len(self.rows.users))

    def _write(self, path: Path, chosen: Iterable[bool]) -> None:
        with gzip.open(EVENTS, "rt", newline="") as source, path.open("w", newline="") as target:
            reader = csv.DictReader(source)
            names = [name for name in reader.fieldnames or () if self.rows.times is not None or name != "occurred_at"]
            writer = csv.DictWriter(target, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row, wanted in zip(reader, chosen, strict=True) if wanted)

    @property
    def relevant(self) -> dict[str, set[str]]:
        """The items that people chose afterwards, by person."""
        found: dict[str, set[str]] = {}
        for user, item in zip(self.rows.users[self.parts.test], self.rows.items[self.parts.test], strict=True):
            found.setdefault(str(user), set()).add(str(item))
        return found

    def metrics(self, lists: dict[str, list[str]]) -> dict[str, float]:
        """Return the metrics of everybody's list."""
        relevant = self.relevant
        people = sorted(relevant)
        return summarise([np.array(lists[user]) for user in people], [relevant[user] for user in people], item_count=1)


def read_lists(post: Callable[[dict[str, Any]], Any], people: list[str]) -> dict[str, list[str]]:
    """Return everybody's list of 100, read in batches by `post`; every list must be the model's own."""
    served = {}
    for start in range(0, len(people), BATCH):
        answer = post({"user_ids": people[start : start + BATCH], "limit": 100})
        for each in answer["data"]:
            if (each["source"], each["degraded"]) != ("model", None):
                raise AssertionError(f"{each['user_id']}: {each['source']}, {each['degraded']}")
            served[each["user_id"]] = [item["item_id"] for item in each["items"]]
    return served


def evaluated(division: Division, folder: Path) -> dict[str, Any]:
    """Return what `manage.py evaluate` reports of the same split, as served."""
    from django.core.management import call_command

    path = folder / "all.csv"
    division.write_all(path)
    out = io.StringIO()
    options = {"protocol": division.protocol, "seed": division.seed, "validation": SETTING[division.protocol]}
    call_command("evaluate", events=path, model=["served"], json=True, stdout=out, **options)
    report = json.loads(out.getvalue())
    return {**report["served"], "fold": report["chosen"]["validation"]["fold"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", choices=tuple(SETTING), default=list(SETTING))
    parser.add_argument("--seeds", type=int, default=1, help="run the seeds 0 .. SEEDS - 1")
    parser.add_argument("--evaluate", action="store_true", help="compare with manage.py evaluate")
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("KEY_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    django.setup()
    apart = [
        f"{protocol}, seed {seed}"
        for protocol in asked.protocols
        for seed in range(asked.seeds)
        if not _run(Division.from_protocol(protocol, seed), compare=asked.evaluate)
    ]
    if apart:
        sys.exit(f"evaluate and the API differ by more than {TOLERANCE}: {'; '.join(apart)}.")


def _run(division: Division, *, compare: bool) -> bool:
    """Print one split's line. Return whether evaluate says the same, where it is asked."""
    from django.core.management import call_command

    from tests.workers import processes

    slug = f"{division.protocol}-{division.seed}"
    token = _tenant(slug, validation=SETTING[division.protocol])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        division.write_train(path)
        with processes.worker():
            call_command("import_data", tenant=slug, events=path, no_build=True, verbosity=0)
            call_command("build", tenant=slug, wait=True, no_ai=True, stdout=io.StringIO())
        took = time.monotonic() - started
        found = division.metrics(_served(token, sorted(division.relevant)))
        said = ", ".join(f"{name} {found[name]:.4f}" for name in ("ndcg@10", "recall@20", "hit_rate@10"))
        print(f"{slug}: {said} (fold {_fold(slug)}; import and build {took:.0f} s)", flush=True)
        if not compare:
            return True
        reported = evaluated(division, Path(folder))
        apart = found["ndcg@10"] - reported["ndcg@10"]
        print(f"    evaluate {reported['ndcg@10']:.4f} (fold {reported['fold']}), {apart:+.4f}", flush=True)
        return bool(abs(apart) <= TOLERANCE)


def _tenant(slug: str, *, validation: str) -> str:
    """Make the tenant, and return a token that reads its lists."""
    from django.core.management import call_command

    from accounts.models import Plan, Tenant
    from accounts.models.tenant import UNLIMITED
    from accounts.tenancy import scope, tenant_cache
    from accounts.tokens import access_tokens, clients
    from core import clock

    call_command("migrate", verbosity=0)
    with scope.all_tenants("benchmark: its tenant"):
        plan, _ = Plan.objects.get_or_create(name="Benchmark", defaults=UNLIMITED)
        tenant = Tenant.objects.create(slug=slug, name=slug, plan=plan, validation=validation)
    tenant_cache.load()
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="served", scopes=["recommendations:read"])
    return access_tokens.issue(client=issued.client, scopes=["recommendations:read"], now=clock.now())


def _served(token: str, people: list[str]) -> dict[str, list[str]]:
    from tests.benchmarks.hot_read import serving

    with serving(token) as service:
        connection = service.connect()
        headers = {**service.headers, "Content-Type": "application/json"}

        def post(body: dict[str, Any]) -> Any:
            connection.request("POST", "/api/v1/recommendations/batch", json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status != 200:
                raise AssertionError(answer)
            return answer

        return read_lists(post, people)


def _fold(slug: str) -> str:
    from accounts.models import Tenant
    from accounts.tenancy import scope
    from recommendations.models import Artefact

    with scope.all_tenants("benchmark: its artefact"):
        tenant = Tenant.objects.get(slug=slug)
        return str(Artefact.objects.filter(tenant=tenant).latest("pk").chosen["validation"]["fold"])


if __name__ == "__main__":
    main()
