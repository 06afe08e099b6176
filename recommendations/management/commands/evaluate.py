"""`manage.py evaluate`: how well each algorithm, and the blend as served, predicts what people did next."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from accounts import scope
from accounts.models import Tenant
from core import clock
from recommendations.algorithms.dataset import InvalidInteractions
from recommendations.algorithms.evaluation.protocols import PROTOCOLS, InvalidSplit, Rows
from recommendations.algorithms.evaluation.runner import Report, evaluate
from recommendations.algorithms.training import NothingToLearn
from recommendations.imports.evaluation_rows import count_items, read_events
from recommendations.imports.files import UnreadableFile
from recommendations.interactions import matrix

MEANING = "Every row is a positive, whatever its value, except those of the types impression and dislike."
COLUMNS = ("ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10", "coverage@10")


class Command(BaseCommand):
    """Trains on one part of the interactions and measures on the rest; hyper-parameters never see the rest."""

    help = "Evaluates the algorithms offline on a tenant's interactions, or on a file without any database."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The data, the protocol and the form of the answer."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--tenant", metavar="SLUG")
        source.add_argument("--events", type=Path, metavar="FILE", help="CSV or NDJSON, as import_data takes it")
        parser.add_argument("--items", type=Path, metavar="FILE", help="With --events: the catalogue, to be counted")
        parser.add_argument("--protocol", choices=PROTOCOLS, default="last10")
        parser.add_argument("--seed", type=int, default=0, help="Breaks ties in time, and draws rand10's rows")
        parser.add_argument("--json", action="store_true", help="Print JSON and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reads, evaluates, prints."""
        if options["items"] and not options["events"]:
            raise CommandError("--items goes with --events; a tenant's catalogue is in the database.")
        if options["seed"] < 0:
            raise CommandError("--seed must not be negative.")
        try:
            rows, notes = self._file(options) if options["events"] else self._tenant(options["tenant"])
            report = evaluate(
                rows,
                options["protocol"],
                options["seed"],
                progress=None if options["json"] else self._progress,
            )
        except (UnreadableFile, InvalidSplit, NothingToLearn, InvalidInteractions) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            document = {**report.as_dict(), "meaning": MEANING, "source": notes}
            self.stdout.write(json.dumps(document, indent=2, default=_plain))
        else:
            self._table(report, notes)

    def _file(self, options: Mapping[str, Any]) -> tuple[Rows, dict[str, Any]]:
        read = read_events(options["events"], now=clock.now())
        notes: dict[str, Any] = {
            "file": options["events"].name,
            "rejected": read.rejected,
            "duplicate": read.duplicate,
            "not_positive": read.not_positive,
        }
        if options["items"]:
            notes["catalogue_items"] = count_items(options["items"])
        return read.rows, notes

    def _tenant(self, slug: str) -> tuple[Rows, dict[str, Any]]:
        with scope.all_tenants("evaluate: find the tenant by its slug"):
            tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {slug!r}.")
        window = matrix.read_window(tenant_id=tenant.pk)
        users = np.array(window.user_ids, dtype=np.str_)[window.users]
        items = np.array(window.item_ids, dtype=np.str_)[window.items]
        return Rows(users, items, window.times), {"tenant": slug}

    def _progress(self, step: str, share: float) -> None:
        self.stderr.write(f"{share:4.0%}  {step}", style_func=str)

    def _table(self, report: Report, notes: Mapping[str, Any]) -> None:
        write = self.stdout.write
        write(f"Protocol {report.protocol}, seed {report.seed}. {MEANING}")
        write(", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in report.data.items()))
        write(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in notes.items()) + "\n")
        width = max(len(name) for name in (*report.models, "served: the blend"))
        write(f"{'':{width}}  " + "  ".join(f"{name:>11}" for name in COLUMNS))
        by_merit = sorted(report.models.items(), key=lambda entry: -entry[1]["ndcg@10"])
        for name, measured in [*by_merit, ("served: the blend", report.served)]:
            write(f"{name:{width}}  " + "  ".join(f"{measured[column]:11.4f}" for column in COLUMNS))
        error = report.served.get("ndcg@10_se", 0.0)
        write(f"\nStandard error of the blend's ndcg@10: {error:.4f}")
        write("Chosen on the validation fold, inside the train part:")
        for name, value in report.chosen.items():
            write(f"  {name}: {json.dumps(value, default=_plain)}")


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
