"""Training options: the deployment's settings, the tenant's own, and its tuned parameters."""

from dataclasses import replace
from typing import cast

from django.conf import settings

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.algorithms.training.hyperparameters import with_parameters
from recommendations.algorithms.training_options import Ranking, TrainingOptions, Validation
from recommendations.pipeline.artefacts import parameters
from recommendations.pipeline.builds import cold_item_setting


def load_options(*, tenant_id: int, validation: str = "") -> TrainingOptions:
    """The options of the tenant's next training; a non-empty `validation` overrides the tenant's setting.

    Raises:
        ValueError: There is no such `validation`.
    """
    options = replace(
        deployment_options(validation=validation or load_validation(tenant_id=tenant_id)),
        cold_every=cold_item_setting.load_cold_every(tenant_id=tenant_id),
    )
    return with_parameters(options, parameters.load_parameters(tenant_id=tenant_id))


def deployment_options(*, validation: str = "") -> TrainingOptions:
    """The options for data that belongs to no tenant.

    Raises:
        ValueError: There is no such `validation`.
    """
    return TrainingOptions(
        threads=settings.TRAIN_THREADS,
        seconds=settings.TRAIN_SECONDS,
        ranker=cast(Ranking, settings.RANKER),
        validation=cast(Validation, validation or "auto"),
    )


def load_validation(*, tenant_id: int) -> Validation:
    """The tenant's setting of the validation."""
    with scope.tenant(tenant_id):
        return cast(Validation, Tenant.objects.values_list("validation", flat=True).get(pk=tenant_id))
