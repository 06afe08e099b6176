"""Checks what every migration must keep: models and migrations agree, each is reversible or says why not."""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.migrations.loader import MigrationLoader

OURS = ("accounts", "core", "recommendations", "workers")


class Command(BaseCommand):
    """Fails with the list of what is wrong."""

    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs makemigrations --check, then looks at every operation and at every tenant table."""
        call_command("makemigrations", check=True, dry_run=True, verbosity=1)
        loader = MigrationLoader(None, ignore_no_migrations=True)
        problems = [
            f"{app}.{name}: {operation.describe()} cannot be reversed; mark the migration `irreversible = 'why'`"
            for (app, name), migration in sorted(loader.disk_migrations.items())
            if app in OURS and not getattr(migration, "irreversible", "")
            for operation in migration.operations
            if not operation.reversible
        ]
        scoped = {
            operation.table
            for (app, _), migration in loader.disk_migrations.items()
            if app in OURS
            for operation in migration.operations
            if hasattr(operation, "table") and type(operation).__name__ == "EnableTenantScope"
        }
        problems += [
            f"{model._meta.db_table} holds a tenant and has no row-level security: add EnableTenantScope"  # noqa: SLF001
            for model in apps.get_models()
            if model._meta.app_label in OURS  # noqa: SLF001
            and model.__name__ != "User"
            and any(field.name == "tenant" for field in model._meta.get_fields())  # noqa: SLF001
            and model._meta.db_table not in scoped  # noqa: SLF001
        ]
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write("Migrations: complete, reversible, every tenant table under row-level security.")
