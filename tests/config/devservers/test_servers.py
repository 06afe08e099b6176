"""Both servers of a folder, running: roles, passwords, run.json, neighbours."""

import os
import signal
import stat
from collections.abc import Iterator

import psycopg
import pytest
import redis

from config.devservers import find_running
from config.devservers.run_state import AlreadyRunning
from config.devservers.servers import PasswordLost, Stack, ephemeral_stack, running_stack
from tests.config.devservers.outside import processes_of, start, wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers for the tests that only look."""
    with running_stack(var=tmp_path_factory.mktemp("look") / "var", environment={}) as stack:
        yield stack


class TestStack:
    def test_gives_the_app_a_role_that_row_level_security_binds(self, stack):
        with psycopg.connect(stack.environment()["DATABASE_URL"]) as connection:
            role = connection.execute(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()

        assert role == ("docent_app", False, False, False)

    def test_gives_the_owner_the_database_and_the_right_to_make_another_for_tests(self, stack):
        with psycopg.connect(stack.environment()["DATABASE_OWNER_URL"], autocommit=True) as connection:
            connection.execute("CREATE TABLE owned (id int)")
            connection.execute("CREATE DATABASE test_docent")
            role = connection.execute(
                "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        app_url = (
            stack.environment()["DATABASE_URL"]
            .replace("/docent", "/test_docent")
            .replace("//test_docent_app", "//docent_app")
        )

        assert role == ("docent_owner", False, False)
        with psycopg.connect(app_url) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("test_docent",)

    @pytest.mark.parametrize(
        ("statement", "told"),
        [
            ("SELECT pg_sleep(5), 'allergic to nuts'", "statement timeout"),
            ("INSERT INTO pg_temp.people VALUES ('allergic to nuts'), ('allergic to nuts')", "duplicate key"),
            ("SELECT 'allergic to nuts'::text FROM nowhere", "does not exist"),
        ],
    )
    def test_keeps_what_the_app_says_of_people_out_of_the_log(self, stack, statement, told):
        log = stack.log / "postgres.log"
        before = log.stat().st_size
        with psycopg.connect(stack.environment()["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE TEMPORARY TABLE people (about text PRIMARY KEY)")
            connection.execute("SET statement_timeout = 100")
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
        logged = log.read_bytes()[before:].decode()

        assert told in logged
        assert "nuts" not in logged

    def test_makes_a_utf8_database_with_unicode_case_rules(self, stack):
        with psycopg.connect(stack.environment()["DATABASE_URL"]) as connection:
            row = connection.execute("SELECT upper('äč'), current_setting('server_encoding')").fetchone()

        assert row == ("ÄČ", "UTF8")

    def test_asks_for_passwords(self, stack):
        environment = stack.environment()
        database, cache = environment["DATABASE_URL"], environment["REDIS_URL"]
        secret = cache.split(":")[2].split("@")[0]

        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(database.replace(database.split(":")[2].split("@")[0], "wrong"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(cache.replace(secret, "wrong")).ping()

    def test_never_evicts_and_keeps_an_append_only_file(self, stack):
        client = redis.Redis.from_url(stack.environment()["REDIS_URL"], decode_responses=True)
        with client:
            options = client.config_get("maxmemory-policy", "appendonly")

        assert options == {"maxmemory-policy": "noeviction", "appendonly": "yes"}

    def test_keeps_every_secret_to_its_owner(self, stack):
        secret_files = [*(stack.var / "secrets").iterdir(), stack.var / "run.json", stack.var / "valkey/valkey.conf"]

        assert len(secret_files) == 6
        assert {stat.S_IMODE(path.stat().st_mode) for path in secret_files} == {0o600}

    def test_shows_no_password_on_a_command_line(self, stack):
        passwords = [path.read_text() for path in (stack.var / "secrets").iterdir()]

        commands = processes_of(stack.var)

        assert len(commands) >= 2
        assert not [command for command in commands for password in passwords if password in command]

    def test_is_found_by_others_while_it_runs(self, stack):
        running = find_running(stack.var)

        assert running is not None
        assert running.pid == os.getpid()
        assert running.database_url == stack.environment()["DATABASE_URL"]
        assert running.redis_url == stack.environment()["REDIS_URL"]

    def test_is_not_found_through_a_copied_folder(self, stack, tmp_path):
        (tmp_path / "run.json").write_bytes((stack.var / "run.json").read_bytes())
        (tmp_path / "lock").write_bytes(b"")

        assert find_running(tmp_path) is None

    def test_is_refused_a_second_time_with_the_pid_of_the_first(self, stack):
        second = start("config.devservers", "run", "--var", stack.var, "--", "true")

        _, errors = second.communicate(timeout=20)

        assert second.returncode == 2
        assert f"already running from this checkout (pid {os.getpid()}, see {stack.var}/run.json)" in errors
        with pytest.raises(AlreadyRunning), running_stack(var=stack.var, environment={}):
            pass

    @pytest.mark.slow
    def test_stands_beside_one_of_another_folder(self, stack, tmp_path):
        with ephemeral_stack(name="other", var=tmp_path, environment={}) as other:
            with psycopg.connect(other.environment()["DATABASE_URL"]) as connection:
                fsync = connection.execute("SELECT current_setting('fsync')").fetchone()
            port = stack.environment()["DATABASE_URL"].split(":")[3].split("/")[0]
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(other.environment()["DATABASE_URL"], port=port)

        assert fsync == ("off",)
        assert list(tmp_path.iterdir()) == []
        assert processes_of(tmp_path) == []

    def test_starts_a_server_that_died_again_on_its_old_port(self, stack):
        before = stack.environment()
        with redis.Redis.from_url(before["REDIS_URL"]) as client:
            client.set("kept", "1")
            pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not all(server.alive for server in stack.servers))

        names = stack.revive()

        assert names == ["Valkey"]
        assert stack.environment() == before
        with redis.Redis.from_url(before["REDIS_URL"]) as client:
            assert client.get("kept") == b"1"

    def test_starts_only_what_is_not_given(self, tmp_path):
        given = {"DATABASE_URL": "postgresql://elsewhere/docent"}

        with running_stack(var=tmp_path, environment=given) as stack:
            running = find_running(tmp_path)
            names = [server.name for server in stack.servers]

        assert names == ["Valkey"]
        assert running is not None
        assert (running.database_url, bool(running.redis_url)) == ("", True)
        assert stack.environment()["DATABASE_URL"] == "postgresql://elsewhere/docent"
        assert not (tmp_path / "postgres").exists()

    def test_says_so_when_the_password_of_existing_data_is_gone(self, tmp_path):
        (tmp_path / "postgres").mkdir()

        with (
            pytest.raises(PasswordLost, match=r"remove .*postgres to start over"),
            running_stack(var=tmp_path, environment={}),
        ):
            pass
