"""`manage.py evaluate`: how well each algorithm, and the blend as served, predicts what people did next."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock
from recommendations.algorithms.data.dataset import InvalidInteractions
from recommendations.algorithms.evaluation.html_report import render_page
from recommendations.algorithms.evaluation.runner import Report, evaluate, protocol_for_fold
from recommendations.algorithms.metrics.beyond_accuracy import BEYOND_ACCURACY
from recommendations.algorithms.models.registry import ALGORITHMS
from recommendations.algorithms.training.hyperparameters import UnknownParameter, with_parameters
from recommendations.algorithms.training.train import NoInteractions
from recommendations.algorithms.training_options import RANKERS, VALIDATIONS, Ranking, TrainingOptions
from recommendations.algorithms.validation.report import describe_fold, protocol_mismatch_hint
from recommendations.algorithms.validation.splitting import PROTOCOLS, InvalidSplit
from recommendations.imports.formats.files import UnreadableFile
from recommendations.management.evaluation_data import EvaluationData, NoSuchTenant, of_file, tenant_of
from recommendations.management.evaluation_data import of_tenant as data_of_tenant
from recommendations.pipeline.builds.training_options import deployment_options, load_options

COLUMNS = ("ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10", "coverage@10", *BEYOND_ACCURACY)
KINDS = (*sorted({name.partition("@")[0] for name in ALGORITHMS}), "text")


class Command(BaseCommand):
    """Trains on one part of the interactions and measures on the rest; hyper-parameters never see the rest."""

    help = "Evaluates the algorithms offline on a tenant's interactions, or on a file without any database."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The data, the protocol and the form of the answer."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--tenant", metavar="SLUG")
        source.add_argument("--events", type=Path, metavar="FILE", help="CSV or NDJSON, as for import_data")
        parser.add_argument("--items", type=Path, metavar="FILE", help="With --events: the catalogue, for its texts")
        parser.add_argument(
            "--not-positive",
            action="append",
            default=[],
            metavar="TYPE",
            help="With --events: events of this type are not positive, like dislike and impression; repeatable",
        )
        parser.add_argument(
            "--protocol",
            choices=PROTOCOLS,
            help="Split of the test part (default: like the validation fold of production)",
        )
        parser.add_argument(
            "--validation",
            choices=VALIDATIONS,
            help="Validation fold that chooses the weights (default: the tenant's setting, auto)",
        )
        parser.add_argument("--seed", type=int, default=0, help="Seed for ties in time and for rand10")
        parser.add_argument(
            "--model",
            action="append",
            choices=(*KINDS, "served"),
            help="Evaluate only this model beside the served lists; repeatable (default: all)",
        )
        parser.add_argument("--ranker", choices=RANKERS, help="Use a second stage or not (default: RANKER)")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="Override a parameter, such as ease.l2=500; repeatable",
        )
        parser.add_argument("--people", type=int, metavar="N", help="Maximum number of validation users")
        parser.add_argument("--json", action="store_true", help="Print only JSON")
        parser.add_argument("--html", type=Path, metavar="FILE", help="Write a report with plots")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reads, evaluates, prints."""
        if options["items"] and not options["events"]:
            raise CommandError("--items requires --events; a tenant's catalogue is in the database.")
        if options["not_positive"] and not options["events"]:
            raise CommandError("--not-positive requires --events; a tenant's event types have weights.")
        if options["seed"] < 0 or (options["people"] is not None and options["people"] < 1):
            raise CommandError("--seed must not be negative, and --people at least 1.")
        ranker = cast(Ranking, options["ranker"] or settings.RANKER)
        try:
            data = self._data(options)
            training = replace(self._training(options), ranker=ranker)
            report = evaluate(
                data.rows,
                options["protocol"] or protocol_for_fold(data.rows, training),
                options["seed"],
                training,
                catalogue=data.catalogue,
                with_models=True if options["model"] is None else options["model"],
                most_people=options["people"],
                progress=None if options["json"] else self._progress,
            )
        except (
            UnreadableFile,
            NoSuchTenant,
            InvalidSplit,
            NoInteractions,
            InvalidInteractions,
            UnknownParameter,
        ) as error:
            raise CommandError(str(error)) from error
        document = {**report.as_dict(), "meaning": data.meaning, "source": data.notes}
        if options["html"]:
            options["html"].write_text(render_page(document), encoding="utf-8")
        if options["json"]:
            self.stdout.write(json.dumps(document, indent=2, default=_plain))
        else:
            self._table(report, data)

    def _data(self, options: Mapping[str, Any]) -> EvaluationData:
        if options["events"]:
            return of_file(options["events"], options["items"], now=clock.now(), not_positive=options["not_positive"])
        return data_of_tenant(options["tenant"])

    def _training(self, options: Mapping[str, Any]) -> TrainingOptions:
        """Return the options that the tenant's next build would use, with what is set here."""
        validation = options["validation"] or ""
        if options["tenant"]:
            found = load_options(tenant_id=tenant_of(options["tenant"]), validation=validation)
        else:
            found = deployment_options(validation=validation)
        said = (each.partition("=") for each in options["set"] or ())
        return with_parameters(found, {**found.parameters, **{name: value for name, _, value in said}})

    def _progress(self, step: str, share: float) -> None:
        self.stderr.write(f"{share:4.0%}  {step}", style_func=str)

    def _table(self, report: Report, data: EvaluationData) -> None:
        write = self.stdout.write
        write(f"Protocol {report.protocol}, seed {report.seed}. {data.meaning}")
        write(", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in report.data.items()))
        write(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in data.notes.items()))
        write(f"Validation fold, inside the train part: {describe_fold(report.chosen)}")
        if hint := protocol_mismatch_hint(report.protocol, report.chosen):
            write(f"Note: {hint}")
        write("")
        width = max(len(name) for name in (*report.models, "served: second stage"))
        write(f"{'':{width}}  " + "  ".join(f"{name:>11.11}" for name in COLUMNS))
        by_merit = sorted(report.models.items(), key=lambda entry: -entry[1]["ndcg@10"])
        served = "served: second stage" if report.stages else "served: the blend"
        for name, measured in [*by_merit, *report.stages.items(), (served, report.served)]:
            write(f"{name:{width}}  " + "  ".join(f"{measured[column]:11.4f}" for column in COLUMNS))
        low, high = report.served["ndcg@10_ci"]
        write(f"\nServed, ndcg@10 with its 95 % interval: {report.served['ndcg@10']:.4f} [{low:.4f}, {high:.4f}]")
        for name, lead in report.leads.items():
            low, high = lead["ci"]
            other = "the blend without the second stage" if name in report.stages else f"the best single part, {name}"
            verdict = "worse beyond noise" if lead["worse"] else "not worse beyond noise"
            write(f"Against {other}: {lead['ndcg@10']:+.4f} [{low:+.4f}, {high:+.4f}] for the same users, {verdict}")
        if (disliked := report.served.get("disliked_hits@10")) is not None:
            write(f"Of the hits in the top ten, {disliked:.1%} were rated low by their user.")
        write("By history of users:")
        for name, segment in report.served["segments"].items():
            low, high = segment["ndcg@10_ci"]
            said = f"ndcg@10 {segment['ndcg@10']:.4f} [{low:.4f}, {high:.4f}]  recall@10 {segment['recall@10']:.4f}"
            write(f"  {name:8}  {segment['people']:>7,} users  {said}")
        write("Chosen on the validation fold:")
        for name, value in report.chosen.items():
            write(f"  {name}: {json.dumps(value, default=_plain)}")


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
