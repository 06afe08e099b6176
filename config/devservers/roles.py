"""The database and its two roles: one owns the tables, the other works with them under row-level security."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from config.devservers.ports import LOOPBACK

DATABASE = "docent"
OWNER = "docent_owner"
APP = "docent_app"

# The owner may create databases because the tests make theirs with it. Neither role gets past row-level security.
_ATTRIBUTES = {
    OWNER: sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE CREATEDB"),
    APP: sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"),
}
# What the app's statements hold is people's data, and erasing somebody does not reach the server's log: of a statement
# that fails its message is logged, not its text, its parameters, or the row in DETAIL. Only a superuser may set these.
QUIET = {
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_parameter_max_length": "0",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, kw_only=True)
class RolePasswords:
    """The roles' passwords."""

    owner: str
    app: str


def ensure_database(connection: psycopg.Connection, *, passwords: RolePasswords) -> None:
    """Create the roles and the database where they are missing; safe to run at each start."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role, password in ((OWNER, passwords.owner), (APP, passwords.app)):
        statement = "ALTER ROLE {} {} PASSWORD {}" if role in known else "CREATE ROLE {} {} PASSWORD {}"
        connection.execute(sql.SQL(statement).format(sql.Identifier(role), _ATTRIBUTES[role], sql.Literal(password)))
    for name, value in QUIET.items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(APP), sql.Identifier(name), sql.Literal(value))
        )
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )


def database_url(*, role: str, password: str, port: int) -> str:
    """The URL under which a role reaches the database."""
    return f"postgresql://{role}:{password}@{LOOPBACK}:{port}/{DATABASE}"
