"""`manage.py build`: starts a build of a tenant's lists; the workers do it."""

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.errors import ServiceError
from recommendations.algorithms.training_options import VALIDATIONS
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.builds.progress import Progress, describe_validation, progress
from recommendations.pipeline.models import Build

POLL_SECONDS = 0.25
NO_WORKER_AFTER_SECONDS = 20.0
BAR_WIDTH = 40


class Command(BaseCommand):
    """Starts a build and, with --wait, shows how it goes until it has ended."""

    help = "Build all lists of a tenant through the Celery workers."
    _shown = ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The tenant, and how to go about it."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--wait", action="store_true", help="show a progress bar until the lists are published")
        parser.add_argument("--no-ai", action="store_true", help="make no AI calls in this build")
        parser.add_argument("--no-gate", action="store_true", help="publish even if the quality gate rejects it")
        parser.add_argument(
            "--validation",
            choices=VALIDATIONS,
            default="",
            help="validation fold of this build (default: the tenant's setting)",
        )

    def handle(
        self, *, tenant: str, wait: bool, no_ai: bool, no_gate: bool = False, validation: str = "", **_: Any
    ) -> None:
        """Starts it.

        Raises: CommandError where there is no such tenant, a build runs already, no worker takes it, or it fails.
        """
        with scope.all_tenants("manage.py build"):
            tenant_id = Tenant.objects.filter(slug=tenant).values_list("pk", flat=True).first()
        if tenant_id is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        asked: dict[str, Any] = {"ai": not no_ai, "gated": not no_gate, "validation": validation}
        while (build := self._started(tenant_id, asked, wait=wait)) is None:
            self._wait_for_another(tenant_id)
        self.stdout.write(f"Build #{build.pk} of {tenant} started.")
        if wait:
            self._wait(tenant_id, build.pk)

    def _started(self, tenant_id: int, asked: Mapping[str, Any], *, wait: bool) -> Build | None:
        """None where another one runs and is to be waited for."""
        try:
            return lifecycle.start(tenant_id=tenant_id, reason="command", now=clock.now(), **asked)
        except lifecycle.BuildRunning as error:
            if not wait:
                raise CommandError(f"{error.detail} With --wait, this build starts afterwards.") from error
            return None
        except ServiceError as error:
            raise CommandError(error.detail) from error

    def _wait_for_another(self, tenant_id: int) -> None:
        """A tenant's first data ask for a build by themselves: whoever is quick meets it."""
        with scope.tenant(tenant_id):
            other = Build.objects.filter(tenant_id=tenant_id, status__in=Build.RUNNING).first()
        if other is not None:
            self.stdout.write(f"Build #{other.pk} ({other.reason}) is running; this one starts when it has ended.")
            self._until_ended(tenant_id, other.pk)

    def _wait(self, tenant_id: int, build_id: int) -> None:
        standing, seconds = self._until_ended(tenant_id, build_id)
        if standing.status == Build.Status.FAILED:
            raise CommandError(f"Build #{build_id} failed: {standing.error}")
        self.stdout.write(_summary(standing, seconds))
        if said := describe_validation(tenant_id=tenant_id, build_id=build_id):
            self.stdout.write(f"Validation fold: {said}")
        if standing.notes:
            self.stdout.write(standing.notes)

    def _until_ended(self, tenant_id: int, build_id: int) -> tuple[Progress, float]:
        """Shows how it goes; how it stands at the end, and after how many seconds.

        Raises: CommandError where no worker takes it.
        """
        started = time.monotonic()
        while not (standing := progress(tenant_id=tenant_id, build_id=build_id)).ended:
            seconds = time.monotonic() - started
            self._show(standing, seconds)
            if not standing.picked_up and seconds > NO_WORKER_AFTER_SECONDS:
                raise CommandError(
                    f"No worker has started build #{build_id} in {NO_WORKER_AFTER_SECONDS:.0f} seconds. It waits in "
                    "the queue: start a worker with `celery -A workers worker --queues=docent.build,docent.imports`."
                )
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - started
        self._show(standing, seconds)
        return standing, seconds

    def _show(self, standing: Progress, seconds: float) -> None:
        """One line that is written over; on anything but a terminal a line for each change."""
        line = _line(standing)
        if self.stderr.isatty():
            ending = "\n" if standing.ended else ""
            self.stderr.write(f"\r{line} {seconds:5.1f} s", style_func=str, ending=ending)  # no error: not in red
        elif line != self._shown:
            self.stderr.write(line, style_func=str)
        self._shown = line


def _line(standing: Progress) -> str:
    said = standing.status if standing.picked_up else "waiting for a worker"
    share = standing.done / standing.total if standing.total else 0.0
    filled = round(share * BAR_WIDTH)
    return f"{said:<20} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {standing.done}/{standing.total}"


def _summary(standing: Progress, seconds: float) -> str:
    by_source = ", ".join(f"{count} {source}" for source, count in sorted(standing.lists.items()))
    ai = f"; {standing.ai_calls} AI calls, {standing.fallback_rate:.1%} of them without a usable answer"
    return (
        f"Published lists of {standing.people} users ({by_source}{ai if standing.ai_calls else ''}) in {seconds:.1f} s."
    )
