"""A server whose port is lost, or whose earlier process was killed."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.devservers.binaries import PostgresPrograms, find_postgres, find_valkey
from config.devservers.postgres import Postgres
from config.devservers.run_as import AS_NOBODY, Identity, find_identity
from config.devservers.valkey import Valkey
from tests.config.devservers.outside import ROOT, processes_of, wait_for

OLDER = [folder for version in (16, 15) for folder in Path("/usr/lib/postgresql").glob(f"{version}/bin")]


class TestServer:
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["postgres", "valkey"])
    def test_takes_another_port_when_it_lost_the_first(self, tmp_path, kind):
        with socket.socket() as rival:
            rival.bind(("127.0.0.1", 0))
            rival.listen()
            server = make_server(kind, tmp_path)
            server.port = taken = rival.getsockname()[1]
            try:
                server.launch()
                server.wait_ready()
                port = server.port
            finally:
                server.stop()

        assert port != taken
        assert not server.alive

    @pytest.mark.slow
    def test_starts_although_the_lock_file_names_a_live_process(self, tmp_path):
        server = make_server("postgres", tmp_path)
        server.launch()
        server.wait_ready()
        server.stop()
        lines = [str(os.getppid()), str(server.data), "1", str(server.port), "", "127.0.0.1", "0 0"]
        (server.data / "postmaster.pid").write_text("\n".join(lines))

        server.launch()
        try:
            server.wait_ready()
        finally:
            server.stop()

        assert not (server.data / "postmaster.pid").exists()

    @pytest.mark.slow
    @pytest.mark.skipif(not OLDER, reason="this machine has no PostgreSQL 15 or 16 of its own")
    def test_runs_the_older_postgresql_of_the_machine(self, tmp_path):
        """Before 17 there is no built-in locale: UTF-8 comes from the operating system's."""
        programs = PostgresPrograms(initdb=OLDER[0] / "initdb", postgres=OLDER[0] / "postgres")
        server = make_server("postgres", tmp_path, programs=programs)
        assert isinstance(server, Postgres)
        server.launch()
        try:
            server.wait_ready()
            with server.connect() as connection:
                row = connection.execute("SELECT upper('äč'), current_setting('server_encoding')").fetchone()
        finally:
            server.stop()

        assert row == ("ÄČ", "UTF8")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
    def test_serves_root_where_user_namespaces_are_forbidden(self, tmp_path):
        server = make_server("postgres", tmp_path, identity=AS_NOBODY)
        server.launch()
        try:
            server.wait_ready()
            pid = int((server.data / "postmaster.pid").read_text().split()[0])
            owner = Path(f"/proc/{pid}").stat().st_uid
        finally:
            server.stop()

        assert owner == AS_NOBODY.uid
        assert server.data.stat().st_uid == AS_NOBODY.uid

    @pytest.mark.slow
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
    def test_dies_with_root_where_user_namespaces_are_forbidden(self, tmp_path):
        code = (
            "import os, signal, pathlib; from config.devservers.run_as import AS_NOBODY; "
            "from tests.config.devservers.test_server import make_server; "
            f"server = make_server('postgres', pathlib.Path({str(tmp_path)!r}), identity=AS_NOBODY); "
            "server.launch(); server.wait_ready(); os.kill(os.getpid(), signal.SIGKILL)"
        )

        killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=30)

        assert killed.returncode == -signal.SIGKILL
        assert (tmp_path / "data/base").exists()
        wait_for(lambda: not processes_of(tmp_path))


def make_server(
    kind: str, folder: Path, *, identity: Identity | None = None, programs: PostgresPrograms | None = None
) -> Postgres | Valkey:
    if kind == "valkey":
        return Valkey(program=find_valkey(), data=folder / "data", log=folder / "log", password="secret", durable=False)
    return Postgres(
        programs=programs or find_postgres(),
        identity=identity or find_identity(),
        data=folder / "data",
        log=folder / "log",
        password="secret",
        durable=False,
    )
