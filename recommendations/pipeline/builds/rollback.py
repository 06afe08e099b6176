"""Going back to an earlier artefact: a build that trains nothing and makes everybody's list with it."""

from datetime import datetime

from accounts.tenancy import scope
from core.errors import Conflict, NotFound
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.models import Artefact, Build
from recommendations.placements.models import HOME, Placement


class NothingToRollBackTo(Conflict):
    """No earlier artefact is kept."""

    code = "no_earlier_artefact"
    title = "No earlier artefact"


def active_artefact(*, tenant_id: int) -> Artefact | None:
    """What the serving lists were made with. Call it in the tenant's scope."""
    home = Placement.objects.filter(tenant_id=tenant_id, name=HOME).select_related("active_build__artefact").first()
    return home.active_build.artefact if home and home.active_build else None


def roll_back(*, tenant_id: int, artefact_id: int | None = None, now: datetime) -> Build:
    """Starts a build with this artefact, or with the newest good one before the active one.

    The lists that serve stay until the build is published. Raises: NotFound, NothingToRollBackTo, BuildRunning.
    """
    with scope.tenant(tenant_id):
        kept = Artefact.objects.filter(tenant_id=tenant_id)
        if artefact_id is not None:
            target = kept.filter(pk=artefact_id).first()
            if target is None:
                raise NotFound(f"There is no artefact #{artefact_id}; it may have been pruned.")
        else:
            active = active_artefact(tenant_id=tenant_id)
            earlier = kept.filter(refused=False, pk__lt=active.pk if active else 0)
            target = earlier.order_by("-pk").first()
            if target is None:
                raise NothingToRollBackTo("No artefact from before the active one is kept.")
    return lifecycle.start(tenant_id=tenant_id, reason=f"back to artefact #{target.pk}", now=now, artefact_id=target.pk)
