"""The database and its two roles: one owns the tables, the other works with them under row-level security."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from config.embedded.ports import LOOPBACK

DATABASE = "docent"
OWNER = "docent_owner"
APP = "docent_app"

# The owner may create databases because the tests make theirs with it. Neither role gets past row-level security.
_ATTRIBUTES = {
    OWNER: sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE CREATEDB"),
    APP: sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"),
}


@dataclass(frozen=True, kw_only=True)
class RolePasswords:
    """What each role logs in with."""

    owner: str
    app: str


def ensure_database(connection: psycopg.Connection, *, passwords: RolePasswords) -> None:
    """Create the roles and the database where they are missing; safe to run at each start."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role, password in ((OWNER, passwords.owner), (APP, passwords.app)):
        statement = "ALTER ROLE {} {} PASSWORD {}" if role in known else "CREATE ROLE {} {} PASSWORD {}"
        connection.execute(sql.SQL(statement).format(sql.Identifier(role), _ATTRIBUTES[role], sql.Literal(password)))
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )


def database_url(*, role: str, password: str, port: int) -> str:
    """The URL under which a role reaches the database."""
    return f"postgresql://{role}:{password}@{LOOPBACK}:{port}/{DATABASE}"
