"""The schema: complete, reversible to nothing, and what the app's role may do with it."""

import os

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.utils import ProgrammingError
from psycopg import sql

OURS = ("core", "accounts", "recommendations")


@pytest.fixture
def empty_database(django_db_setup, django_db_blocker):
    """A new database of the owner, to which both aliases point."""
    name = f"docent_schema_{os.getpid()}"
    before = {alias: connections[alias].settings_dict["NAME"] for alias in ("default", "owner")}
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with django_db_blocker.unblock():
            for alias in before:
                connections[alias].close()
                connections[alias].settings_dict["NAME"] = name
            yield
            for alias, original in before.items():
                connections[alias].close()
                connections[alias].settings_dict["NAME"] = original
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def owner_tables():
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def schema():
    """Every column, constraint, index and policy, as text."""
    queries = (
        """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
           WHERE table_schema = 'public' ORDER BY 1, 2""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2, 3""",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        "SELECT tablename, policyname, qual, with_check FROM pg_policies ORDER BY 1, 2",
    )
    with connections["owner"].cursor() as cursor:
        found = []
        for query in queries:
            cursor.execute(query)
            found.append(cursor.fetchall())
        return found


@pytest.fixture
def there(django_db_setup, django_db_blocker):
    """The schema of the tests' own database, which was made without the chain."""
    with django_db_blocker.unblock():
        return schema()


@pytest.mark.slow
@pytest.mark.timeout(400)  # what comes after it needs the database whole again
class TestMigrations:
    def test_are_complete_and_reversible(self, committed_db):
        call_command("migrations_check")

    def test_go_back_to_nothing_and_forward_again(self, empty_database):
        call_command("migrate", verbosity=0)
        there = schema()
        for app in reversed(OURS):
            call_command("migrate", app, "zero", verbosity=0)
        left = [table for table in owner_tables() if table.startswith(OURS)]
        call_command("migrate", verbosity=0)

        assert left == []
        assert schema() == there

    def test_run_again_change_nothing(self, empty_database, capsys):
        call_command("migrate", verbosity=0)
        call_command("migrate", verbosity=1)

        assert "No migrations to apply" in capsys.readouterr().out

    def test_give_up_on_a_lock_instead_of_stopping_traffic(self, empty_database, settings):
        settings.MIGRATION_LOCK_TIMEOUT_SECONDS = 0.2
        call_command("migrate", verbosity=0)
        name = connections["owner"].settings_dict["NAME"]
        url = settings.DATABASE_OWNER_URL.rpartition("/")[0]
        with psycopg.connect(f"{url}/{name}") as reader:
            reader.execute("LOCK TABLE accounts_tenant IN ACCESS SHARE MODE")

            with pytest.raises(Exception, match="lock timeout"):
                call_command("migrate", "accounts", "0016_help_texts", verbosity=0)  # 0017 changes tenants


@pytest.mark.slow
@pytest.mark.timeout(300)
class TestSquashed:
    """The chain before it is for databases that have begun it: they end up where a new one begins."""

    @pytest.mark.parametrize("begun", [("accounts", "0008_tokens"), ("recommendations", "0017_fresh_items"), None])
    def test_a_database_of_the_chain_is_brought_to_the_same(self, there, empty_database, begun):
        by_the_chain(begun)

        call_command("migrate", verbosity=0)

        assert schema() == there
        assert MigrationExecutor(connections["owner"]).migration_plan(leaves()) == []


def by_the_chain(target):
    """Applies the migrations that were replaced, as an older release did; all of them without a target."""
    executor = MigrationExecutor(connections["owner"])
    executor.loader = MigrationLoader(connections["owner"], replace_migrations=False)
    graph = executor.loader.graph
    squashed = [node for node in graph.leaf_nodes() if node[1].startswith("initial_squashed")]
    assert squashed
    ends = [
        (app, max(name for there, name in graph.nodes if there == app and name[0].isdigit())) for app, _ in squashed
    ]
    executor.migrate([target] if target else ends)


def leaves():
    return MigrationExecutor(connections["owner"]).loader.graph.leaf_nodes()


class TestRights:
    @pytest.mark.parametrize(
        "statement",
        [
            "TRUNCATE accounts_tenant CASCADE",
            "CREATE TABLE mine (a int)",
            "CREATE SCHEMA mine",
            "ALTER TABLE accounts_tenant DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant_scope ON accounts_tenant",
            "DROP TABLE accounts_tenant",
            "ALTER ROLE CURRENT_USER BYPASSRLS",
            "CREATE ROLE mine",
            "SET ROLE docent_owner",
        ],
    )
    def test_the_app_may_not(self, db, statement):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            connections["default"].cursor().execute(statement)

    def test_the_app_may_not_say_which_migrations_were_applied(self, db):
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations")
            assert cursor.fetchone()[0] > 0
            with pytest.raises(ProgrammingError, match="permission denied"):
                cursor.execute("DELETE FROM django_migrations")

    def test_the_app_may_copy_through_a_temporary_table(self, db):
        with connections["default"].cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE staging (a int) ON COMMIT DROP")
            with cursor.copy("COPY staging FROM STDIN") as copy:
                copy.write_row([1])
            cursor.execute("SELECT count(*) FROM staging")
            assert cursor.fetchone() == (1,)


class TestMigrationsCheck:
    def test_finds_a_tenant_table_without_row_level_security(self, committed_db, monkeypatch):
        original = MigrationLoader.build_graph

        def without_scopes(loader):
            original(loader)
            for migration in loader.disk_migrations.values():
                migration.operations = [
                    each for each in migration.operations if type(each).__name__ != "EnableTenantScope"
                ]

        monkeypatch.setattr(MigrationLoader, "build_graph", without_scopes)
        with pytest.raises(CommandError, match="accounts_apiclient holds a tenant and has no row-level security"):
            call_command("migrations_check")
