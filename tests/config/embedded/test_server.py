"""A server whose port is lost, or whose earlier process was killed."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.binaries import find_postgres, find_valkey
from config.embedded.identity import AS_NOBODY, Identity, find_identity
from config.embedded.postgres import Postgres
from config.embedded.server import Server
from config.embedded.valkey import Valkey
from tests.config.embedded.outside import ROOT, processes_of, wait_for


class TestServer:
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

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
    def test_dies_with_root_where_user_namespaces_are_forbidden(self, tmp_path):
        code = (
            "import os, signal, pathlib; from config.embedded.identity import AS_NOBODY; "
            "from tests.config.embedded.test_server import make_server; "
            f"server = make_server('postgres', pathlib.Path({str(tmp_path)!r}), identity=AS_NOBODY); "
            "server.launch(); server.wait_ready(); os.kill(os.getpid(), signal.SIGKILL)"
        )

        killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=30)

        assert killed.returncode == -signal.SIGKILL
        assert (tmp_path / "data/base").exists()
        wait_for(lambda: not processes_of(tmp_path))


def make_server(kind: str, folder: Path, *, identity: Identity | None = None) -> Server:
    if kind == "valkey":
        return Valkey(program=find_valkey(), data=folder / "data", log=folder / "log", password="secret", durable=False)
    return Postgres(
        programs=find_postgres(),
        identity=identity or find_identity(),
        data=folder / "data",
        log=folder / "log",
        password="secret",
        durable=False,
    )
