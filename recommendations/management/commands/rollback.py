"""`manage.py rollback`: goes back to an earlier artefact; the workers make all lists with it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.audit import Target
from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.errors import ServiceError
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.models import Artefact


class Command(BaseCommand):
    """Lists the artefacts that are kept, or starts a build with one of them."""

    help = "Recreates all lists of a tenant with an earlier artefact: the previous one, or --artefact."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The tenant, and to which."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--artefact", type=int, metavar="NUMBER", help="default: the previous one")
        parser.add_argument("--reason", default="", help="why; kept in the audit log")
        parser.add_argument("--list", action="store_true", help="only list the artefacts")

    def handle(self, *, tenant: str, artefact: int | None, **options: Any) -> None:
        """Starts the build.

        Raises: CommandError where there is no such tenant or artefact, or a build runs already.
        """
        with scope.all_tenants("manage.py rollback"):
            tenant_id = Tenant.objects.filter(slug=tenant).values_list("pk", flat=True).first()
        if tenant_id is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        if options["list"]:
            self._list(tenant_id)
            return
        now = clock.now()
        try:
            build = lifecycle.roll_back(tenant_id=tenant_id, artefact_id=artefact, now=now)
        except ServiceError as error:
            raise CommandError(error.detail) from error
        audit.record(
            actor=audit.command_actor("rollback"),
            action="serve_again",
            now=now,
            target=Target("recommendations.artefact", str(build.artefact_id), f"#{build.artefact_id}", tenant_id),
            reason=options.get("reason", ""),
            note=f"build #{build.pk}",
        )
        self.stdout.write(f"Build #{build.pk} of {tenant} recreates all lists with artefact #{build.artefact_id}.")

    def _list(self, tenant_id: int) -> None:
        with scope.tenant(tenant_id):
            active = lifecycle.active_artefact(tenant_id=tenant_id)
            rows = list(Artefact.objects.filter(tenant_id=tenant_id).order_by("-pk"))
        for row in rows:
            standing = "serving" if active and row.pk == active.pk else "refused" if row.refused else "kept"
            ndcg = "" if row.ndcg is None else f"ndcg@10 {row.ndcg:.4f}  "
            self.stdout.write(f"#{row.pk}  {row.created_at:%Y-%m-%d %H:%M}  {standing:8}{ndcg}{row.verdict}")
