"""What a tenant's trainings use in place of the defaults: what `manage.py tune --save` found and stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from accounts.tenancy import scope
from recommendations.algorithms.training.hyperparameters import PARAMETERS, UnknownParameter, validate_parameters
from recommendations.algorithms.training.tuning import TuningResult
from recommendations.pipeline.models import Tuning

_log = structlog.get_logger(__name__)


def of_tenant(*, tenant_id: int) -> dict[str, float]:
    """The stored choice without what this version does not know; empty for the defaults."""
    with scope.tenant(tenant_id):
        stored: dict[str, Any] = (
            Tuning.objects.filter(tenant_id=tenant_id).values_list("parameters", flat=True).first() or {}
        )
    found: dict[str, float] = {}
    for name, value in stored.items():
        try:
            found |= validate_parameters({name: value})
        except UnknownParameter as error:
            # A training with the default is better than none.
            _log.warning("tuning_ignored", tenant_id=tenant_id, parameter=name, error=str(error))
    return found


def store(found: TuningResult, *, tenant_id: int, now: datetime) -> None:
    """Makes it the tenant's choice from the next training on."""
    with scope.tenant(tenant_id):
        Tuning.objects.update_or_create(
            tenant_id=tenant_id,
            defaults={
                "parameters": found.found,
                "verdict": found.verdict,
                "ndcg": found.ndcg_found.mean,
                "ndcg_before": found.ndcg_current.mean,
                "stored_at": now,
            },
        )


def reset(*, tenant_id: int) -> bool:
    """Goes back to the defaults; whether there was anything else."""
    with scope.tenant(tenant_id):
        deleted, _ = Tuning.objects.filter(tenant_id=tenant_id).delete()
    return bool(deleted)


def described(parameters: Mapping[str, float]) -> str:
    """The choice in words, the defaults left out."""
    said = ", ".join(f"{name} {value:g} (default {PARAMETERS[name].default:g})" for name, value in parameters.items())
    return said or "the defaults"
