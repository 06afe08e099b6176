"""`migrate`, as the owner's role, with a lock time-out, and the app's rights granted at the end."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections
from psycopg import sql

RIGHTS = (
    "GRANT USAGE ON SCHEMA public TO {app}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}",
    # Which migrations were applied is the owner's to say; the app only asks (/readyz).
    # The table is not there yet after `migrate --plan` on an empty database.
    (
        "DO $$ BEGIN IF to_regclass('public.django_migrations') IS NOT NULL THEN"
        " REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {app}; END IF; END $$"
    ),
)


class Command(migrate.Command):
    """Migrates with a lock time-out: a migration that waits for a lock would stop all traffic behind it."""

    help = "Brings the schema up to date, as the owner's database role (DATABASE_OWNER_URL)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's own, with the owner as the database."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrates, then grants."""
        connection = connections[options["database"]]
        milliseconds = int(settings.MIGRATION_LOCK_TIMEOUT_SECONDS * 1000)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(milliseconds)])
            # Data migrations are the owner's, and forced row-level security binds the owner too.
            cursor.execute("SELECT set_config('docent.scope', 'all', false)")
        super().handle(*args, **options)
        app_role = str(settings.DATABASES["default"]["USER"])
        if app_role != connection.settings_dict["USER"]:
            with connection.cursor() as cursor:
                for right in RIGHTS:
                    cursor.execute(sql.SQL(right).format(app=sql.Identifier(app_role)).as_string(cursor.cursor))
