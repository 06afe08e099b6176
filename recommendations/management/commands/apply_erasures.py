"""`manage.py apply_erasures`: after a restore, whoever was erased since the dump is erased again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.redis import RedisUnavailable
from recommendations.privacy.reapply_erasures import apply_erasures


class Command(BaseCommand):
    """Fails when the log cannot be applied as a whole, so that a script that restores stops there."""

    help = (
        "Applies the erasure log: restores missing entries from the storage, erases the users in the "
        "log and there all the same, and removes their lists from Redis. Run it after every restore, before serving."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One tenant, or all."""
        parser.add_argument("--tenant", metavar="SLUG", help="Only this tenant (default: all).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Applies and tells, tenant by tenant."""
        with scope.all_tenants("apply_erasures: which tenants there are"):
            tenants = list(Tenant.objects.order_by("slug").values_list("pk", "slug"))
        if options["tenant"]:
            tenants = [(pk, slug) for pk, slug in tenants if slug == options["tenant"]]
            if not tenants:
                raise CommandError(f"There is no tenant {options['tenant']!r}.")
        foreign = 0
        for pk, slug in tenants:
            try:
                applied = apply_erasures(tenant_id=pk, now=clock.now(), cached=True)
            except RedisUnavailable as error:
                raise CommandError(f"{slug}: Redis cannot be reached ({error}). Run it again.") from error
            foreign += applied.foreign
            self.stdout.write(
                f"{slug}: {applied.entries:,} in the log ({applied.restored:,} from the storage), "
                f"{applied.users:,} users erased again, {applied.lists:,} lists removed from Redis"
            )
        if foreign:
            raise CommandError(
                f"{foreign:,} entries were made with another ERASURE_KEY and match no user. Set ERASURE_KEY "
                "to the key of that time and run it again."
            )
