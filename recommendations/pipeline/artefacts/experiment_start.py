"""Starting an experiment: its arms' artefacts are looked at here, the rest in `recommendations.attribution`."""

from datetime import datetime

from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core.errors import Conflict
from recommendations.experiments import lifecycle
from recommendations.experiments.models import ExperimentArm
from recommendations.pipeline.models import Artefact


def start(*, tenant_id: int, experiment_id: int, now: datetime) -> None:
    """From the next build on people are spread over the arms.

    Raises: Conflict also where an arm's artefact is another tenant's, is no more, or was refused by the quality gate;
        and whatever `experiments.start` raises.
    """
    with scope.tenant(tenant_id):
        arms = ExperimentArm.objects.filter(
            tenant_id=tenant_id, experiment_id=experiment_id, artefact_id__isnull=False
        ).order_by("letter")
        files = {letter: _held(tenant_id, letter, pk) for letter, pk in arms.values_list("letter", "artefact_id")}
        for letter, file in files.items():
            if not default_storage.exists(file):
                raise Conflict(f"The file of arm {letter}'s artefact is not in the storage.")
        lifecycle.start(tenant_id=tenant_id, experiment_id=experiment_id, now=now)


def _held(tenant_id: int, letter: str, artefact_id: int) -> str:
    """The artefact's file; its row is locked, so that it is not pruned before the experiment runs."""
    rows = Artefact.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, pk=artefact_id)
    artefact = rows.order_by().first()
    if artefact is None:
        raise Conflict(f"Arm {letter} names artefact #{artefact_id}, which is not kept any more.")
    if artefact.refused:
        raise Conflict(f"Arm {letter} names artefact #{artefact_id}, which the quality gate refused.")
    return artefact.file
