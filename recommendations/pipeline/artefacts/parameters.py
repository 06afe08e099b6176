"""A tenant's tuned training parameters, as `manage.py tune --save` stored them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from accounts.tenancy import scope
from recommendations.algorithms.training.hyperparameters import PARAMETERS, UnknownParameter, validate_parameters
from recommendations.algorithms.training.tuning import TuningResult
from recommendations.pipeline.models import Tuning

_log = structlog.get_logger(__name__)


def load_parameters(*, tenant_id: int) -> dict[str, float]:
    """The stored parameters without unknown ones; empty for the defaults."""
    with scope.tenant(tenant_id):
        stored: dict[str, Any] = (
            Tuning.objects.filter(tenant_id=tenant_id).values_list("parameters", flat=True).first() or {}
        )
    parameters: dict[str, float] = {}
    for name, value in stored.items():
        try:
            parameters |= validate_parameters({name: value})
        except UnknownParameter as error:
            # A training with the default is better than none.
            _log.warning("tuning_ignored", tenant_id=tenant_id, parameter=name, error=str(error))
    return parameters


def save_parameters(tuned: TuningResult, *, tenant_id: int, now: datetime) -> None:
    """Saves the parameters for the tenant's next trainings."""
    with scope.tenant(tenant_id):
        Tuning.objects.update_or_create(
            tenant_id=tenant_id,
            defaults={
                "parameters": tuned.found,
                "verdict": tuned.verdict,
                "ndcg": tuned.ndcg_found.mean,
                "ndcg_before": tuned.ndcg_current.mean,
                "stored_at": now,
            },
        )


def reset_parameters(*, tenant_id: int) -> bool:
    """Restores the defaults; False if they were in use."""
    with scope.tenant(tenant_id):
        deleted, _ = Tuning.objects.filter(tenant_id=tenant_id).delete()
    return bool(deleted)


def describe_parameters(parameters: Mapping[str, float]) -> str:
    """The parameters in words."""
    text = ", ".join(f"{name} {value:g} (default {PARAMETERS[name].default:g})" for name, value in parameters.items())
    return text or "the defaults"
