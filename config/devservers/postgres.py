"""PostgreSQL: a cluster of this checkout's own, reachable only through 127.0.0.1 and only with a password."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from config.devservers import processes
from config.devservers.binaries import PostgresPrograms
from config.devservers.ports import LOOPBACK
from config.devservers.private_files import write_private
from config.devservers.run_as import Identity
from config.devservers.server import Server, StartFailed

SUPERUSER = "postgres"
_BUILTIN_LOCALES = 17  # the first version that needs no operating system locale for UTF-8
_SETTLE_SECONDS = 15.0
_POLL_SECONDS = 0.02

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # The path of a socket is limited to 107 bytes, the path of a checkout is not.
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres(Server):
    """The database server. SIGINT stops it at once and in order; SIGTERM would wait for pooled clients."""

    name = "PostgreSQL"
    asks_to_stop = signal.SIGINT
    says_port_taken = "could not create any TCP/IP sockets"

    def __init__(
        self,
        *,
        programs: PostgresPrograms,
        identity: Identity,
        data: Path,
        log: Path,
        password: str,
        durable: bool,
    ) -> None:
        super().__init__(data=data, log=log)
        self._programs = programs
        self._identity = identity
        self._password = password
        self._durable = durable

    def prepare(self) -> None:
        if self.data.exists():
            self._identity.own(self.data)
            self._settle_earlier_run()
        else:
            self._create_cluster()

    def command(self) -> list[str | Path]:
        settings = _SETTINGS if self._durable else _SETTINGS | _THROWAWAY
        options = [f"-c{name}={value}" for name, value in settings.items()]
        return [*self._identity.prefix, self._programs.postgres, "-D", self.data, f"-p{self.port}", *options]

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, *, database: str = "postgres") -> psycopg.Connection:
        """A connection as the cluster's superuser, where each statement is its own transaction."""
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._password,
            dbname=database,
            autocommit=True,
            connect_timeout=2,
        )

    def _create_cluster(self) -> None:
        """Make the cluster beside its place and move it there, so that half a one is never taken for a whole."""
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        password_file = draft.with_name(f"{draft.name}.password")
        write_private(password_file, self._password)
        self._identity.own(draft)
        self._identity.own(password_file)
        command: list[str | Path] = [*self._identity.prefix, self._programs.initdb, "-D", draft, "-U", SUPERUSER]
        command += [f"--pwfile={password_file}", "--auth-host=scram-sha-256", "--auth-local=reject"]
        command += ["--encoding=UTF8", *self._locale(), *([] if self._durable else ["--no-sync"])]
        initdb = processes.spawn(
            command,
            dies_with_us=signal.SIGKILL,
            environment={**os.environ, "LC_ALL": "C"},
            log=self.log,
        )
        try:
            if initdb.wait() != 0:
                raise StartFailed(f"initdb failed:\n{processes.tail(self.log)}")
        finally:
            processes.kill_session(initdb)
            password_file.unlink(missing_ok=True)
        draft.replace(self.data)

    def _locale(self) -> list[str]:
        answer = subprocess.run(  # noqa: S603  # the program that we found
            [self._programs.postgres, "--version"], capture_output=True, text=True, check=True
        )
        version = re.search(r"\d+", answer.stdout)
        if version and int(version.group()) >= _BUILTIN_LOCALES:
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _settle_earlier_run(self) -> None:
        """Make way after a run that was killed.

        PostgreSQL takes its lock file for that of a live server when any process has the number in it now, even one
        that is dead and not yet collected. We hold this folder's lock and see every process that works in it: when
        there is none, the file is stale.

        Raises: StartFailed when an earlier server still runs after 15 seconds.
        """
        if not (self.data / "postmaster.pid").exists() or not Path("/proc/self/cwd").exists():
            return
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (pids := _working_in(self.data)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if pids:
            raise StartFailed(f"PostgreSQL of an earlier start still uses {self.data} (pid {pids[0]}): end it first.")
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(folder: Path) -> list[int]:
    """The live processes whose working directory is this one: a cluster's server and all of its children."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return sorted(found)
