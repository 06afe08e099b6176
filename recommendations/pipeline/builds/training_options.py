"""The options of a tenant's trainings: the deployment's settings, the tenant's own, and what tuning found."""

from dataclasses import replace
from typing import cast

from django.conf import settings

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.algorithms.training.hyperparameters import with_parameters
from recommendations.algorithms.training_options import Ranking, TrainingOptions, Validation
from recommendations.pipeline.artefacts import parameters
from recommendations.pipeline.builds import cold_item_setting


def of_tenant(*, tenant_id: int, validation: str = "") -> TrainingOptions:
    """Return what the tenant's next training would use; `validation` other than empty takes the place of its setting.

    Raises: ValueError for a `validation` that there is not.
    """
    options = replace(
        of_deployment(validation=validation or validation_of(tenant_id=tenant_id)),
        cold_every=cold_item_setting.wanted(tenant_id=tenant_id),
    )
    return with_parameters(options, parameters.of_tenant(tenant_id=tenant_id))


def of_deployment(*, validation: str = "") -> TrainingOptions:
    """The same for data that is no tenant's.

    Raises: ValueError for a `validation` that there is not.
    """
    return TrainingOptions(
        threads=settings.TRAIN_THREADS,
        seconds=settings.TRAIN_SECONDS,
        ranker=cast(Ranking, settings.RANKER),
        validation=cast(Validation, validation or "auto"),
    )


def validation_of(*, tenant_id: int) -> Validation:
    """The tenant's setting."""
    with scope.tenant(tenant_id):
        return cast(Validation, Tenant.objects.values_list("validation", flat=True).get(pk=tenant_id))
