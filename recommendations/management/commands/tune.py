"""`manage.py tune`: looks for parameters that suit a tenant's data better, and stores them where that is wanted."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from core import clock
from recommendations.algorithms.data.dataset import InvalidInteractions
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers
from recommendations.algorithms.training.hyperparameters import UnknownParameter
from recommendations.algorithms.training.train import NoInteractions
from recommendations.algorithms.training.tuning import TooFewUsers, TuningResult, tune
from recommendations.algorithms.training_options import VALIDATIONS, TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from recommendations.algorithms.validation.splitting import InvalidSplit
from recommendations.imports.formats.files import UnreadableFile
from recommendations.management.evaluation_data import EvaluationData, NoSuchTenant, of_file, of_tenant, tenant_of
from recommendations.pipeline.artefacts import parameters
from recommendations.pipeline.builds.training_options import load_validation


class Command(BaseCommand):
    """Searches on one fold inside the data and compares on another; writes nothing without --save."""

    help = (
        "Searches hyper-parameters on validation folds of a tenant's interactions, or of a file without any database."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The data, the time, and what to do with what is found."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--tenant", metavar="SLUG")
        source.add_argument("--events", type=Path, metavar="FILE", help="CSV or NDJSON, as for import_data")
        parser.add_argument("--items", type=Path, metavar="FILE", help="With --events: the catalogue, for its texts")
        parser.add_argument(
            "--validation",
            choices=VALIDATIONS,
            help="Kind of the folds (default: the tenant's setting, auto)",
        )
        parser.add_argument("--seconds", type=float, default=600.0, help="Approximate time limit")
        parser.add_argument("--people", type=int, default=2_000, metavar="N", help="Maximum number of validation users")
        parser.add_argument("--seed", type=int, default=0, help="Seed for ties in time and for random folds")
        parser.add_argument(
            "--save", action="store_true", help="Store it for the tenant's next training, if it is not worse"
        )
        parser.add_argument("--reset", action="store_true", help="Return to the defaults without a search")
        parser.add_argument("--json", action="store_true", help="Print only JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Searches, prints, stores.

        Raises: CommandError where that cannot be done.
        """
        _refuse(options)
        try:
            tenant_id = tenant_of(options["tenant"]) if options["tenant"] else None
            if options["reset"]:
                self._reset(tenant_id)
                return
            data = self._data(options)
            present = {} if tenant_id is None else parameters.load_parameters(tenant_id=tenant_id)
            asked = options["validation"] or (load_validation(tenant_id=tenant_id) if tenant_id else "auto")
            choosing = TrainingOptions(validation=asked, seed=options["seed"], validation_people=options["people"])
            every_row = np.ones(len(data.rows.users), dtype=bool)
            interactions = HeldOutUsers.weighted_interactions(data.rows, every_row, choosing).interactions
            found = tune(
                interactions,
                choosing,
                present,
                catalogue=data.catalogue,
                seconds=options["seconds"],
                progress=None if options["json"] else self._progress,
            )
        except (
            UnreadableFile,
            NoSuchTenant,
            InvalidSplit,
            NoInteractions,
            InvalidInteractions,
            TooFewUsers,
            UnknownParameter,
        ) as error:
            raise CommandError(str(error)) from error
        fold = make_fold(interactions, choosing)
        saved = self._save(found, tenant_id) if options["save"] else False
        if options["json"]:
            document = {
                **found.as_dict(),
                "saved": saved,
                "why": fold.why,
                "meaning": data.meaning,
                "source": data.notes,
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self._table(found, data, why=fold.why, saved=saved, save=options["save"])

    def _data(self, options: Mapping[str, Any]) -> EvaluationData:
        if options["events"]:
            return of_file(options["events"], options["items"], now=clock.now())
        return of_tenant(options["tenant"])

    def _progress(self, step: str, share: float) -> None:
        self.stderr.write(f"{share:4.0%}  {step}", style_func=str)

    def _reset(self, tenant_id: int | None) -> None:
        if tenant_id is None:
            raise CommandError("--reset requires --tenant: parameters are stored per tenant.")
        changed = parameters.reset_parameters(tenant_id=tenant_id)
        self.stdout.write("The next training uses the defaults." if changed else "The defaults are in use already.")

    def _save(self, found: TuningResult, tenant_id: int | None) -> bool:
        if tenant_id is None or not found.changed or found.worse:
            return False
        parameters.save_parameters(found, tenant_id=tenant_id, now=clock.now())
        return True

    def _table(self, found: TuningResult, data: EvaluationData, *, why: str, saved: bool, save: bool) -> None:
        write = self.stdout.write
        write(f"Folds by {found.protocol}, {found.users:,} validation users. {why}")
        write(data.meaning)
        write(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in data.notes.items()) + "\n")
        write(f"{'tried on the inner fold':28}  {'value':>8}  {'gain in ndcg@10':>24}")
        for trial in found.trials:
            mark = "kept" if trial.kept else ""
            gain = f"{trial.gain:+.4f} ± {trial.error:.4f}"
            write(f"{trial.parameter:28}  {trial.value:8g}  {gain:>24}  {mark}")
        ended = "nothing more to try" if found.complete else "the time was over"
        write(f"{len(found.trials)} trials in {found.seconds:.0f} s; {ended}.\n")
        write(f"Current: {parameters.describe_parameters(found.current)}")
        write(f"Found:   {parameters.describe_parameters(found.found)}")
        write(f"On the outer fold, which the search did not see: {found.verdict}")
        if saved:
            write("Stored: the tenant's next training uses it.")
        elif save:
            write("Nothing was stored." if not found.changed else "Not stored: it is worse.")
        elif found.changed:
            write("Nothing was stored; use --save to store it.")


def _refuse(options: Mapping[str, Any]) -> None:
    """Raises: CommandError for options that do not go together, or make no sense."""
    if options["items"] and not options["events"]:
        raise CommandError("--items requires --events; a tenant's catalogue is in the database.")
    if options["save"] and not options["tenant"]:
        raise CommandError("--save requires --tenant: parameters are stored per tenant.")
    if options["save"] and options["reset"]:
        raise CommandError("--save and --reset exclude each other.")
    if options["seed"] < 0 or options["people"] < 1 or not options["seconds"] > 0:
        raise CommandError("--seed must not be negative, --people at least 1, and --seconds above 0.")
