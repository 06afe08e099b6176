"""Starts an experiment after checking the artefacts of its arms; `recommendations.experiments` checks the rest."""

from datetime import datetime

from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core.errors import Conflict
from recommendations.experiments import lifecycle
from recommendations.experiments.models import ExperimentArm
from recommendations.pipeline.models import Artefact


def start_experiment(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """Assigns users to the arms from the next build on.

    Raises:
        Conflict: An arm's artefact is another tenant's, is gone, or was refused by the quality gate; or as
            `experiments.lifecycle.start` raises it.
        InvalidInput: As `experiments.lifecycle.start` raises it.
    """
    with scope.tenant(tenant_id):
        arms = ExperimentArm.objects.filter(
            tenant_id=tenant_id, experiment_id=experiment_id, artefact_id__isnull=False
        ).order_by("letter")
        files = {
            letter: _locked_file(tenant_id, letter, pk) for letter, pk in arms.values_list("letter", "artefact_id")
        }
        for letter, file in files.items():
            if not default_storage.exists(file):
                raise Conflict(f"The file of arm {letter}'s artefact is not in the storage.")
        lifecycle.start(tenant_id=tenant_id, experiment_id=experiment_id, now=now)


def _locked_file(tenant_id: int, letter: str, artefact_id: int) -> str:
    """The artefact's file. Locks its row, so that it is not pruned before the experiment runs."""
    rows = Artefact.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, pk=artefact_id)
    artefact = rows.order_by().first()
    if artefact is None:
        raise Conflict(f"Arm {letter} names artefact #{artefact_id}, which does not exist.")
    if artefact.refused:
        raise Conflict(f"Arm {letter} names artefact #{artefact_id}, which the quality gate rejected.")
    return artefact.file
