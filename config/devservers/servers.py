"""Both servers of a checkout as one context: started side by side, published, stopped together."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.devservers import roles
from config.devservers.binaries import find_postgres, find_valkey
from config.devservers.errors import DevServerError
from config.devservers.postgres import Postgres
from config.devservers.private_files import ensure_private, random_password
from config.devservers.run_as import find_identity
from config.devservers.run_state import FolderLock, is_abandoned
from config.devservers.server import Server
from config.devservers.valkey import Valkey

VAR = Path(os.environ.get("VAR_DIR") or Path(__file__).resolve().parents[2] / "var")


class PasswordLost(DevServerError):
    """The data is there, but not the password that opens it."""


class Stack:
    """The servers that the environment does not name, running; made by `running_stack`."""

    def __init__(self, *, var: Path, claim: FolderLock, durable: bool, given: Mapping[str, str]) -> None:
        self.var = var
        self._claim = claim
        self._durable = durable
        self._given = {
            name: given[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL") if given.get(name)
        }
        self._postgres = None if "DATABASE_URL" in self._given else self._make_postgres()
        self._valkey = None if "REDIS_URL" in self._given else self._make_valkey()

    @property
    def servers(self) -> list[Server]:
        """Those that were started here."""
        return [server for server in (self._valkey, self._postgres) if server is not None]

    @property
    def log(self) -> Path:
        """The folder of the logs."""
        return self.var / "log"

    def start(self) -> None:
        """Start the servers and say where they are in `var/run.json`.

        Raises: StartFailed, PasswordLost, NoIdentity.
        """
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_ready()
        if self._postgres:
            with self._postgres.connect() as connection:
                roles.ensure_database(connection, passwords=self._role_passwords())
        self.publish()

    def revive(self) -> list[str]:
        """Start servers that ended again, on their old ports; returns their names.

        Raises: StartFailed.
        """
        ended = [server for server in self.servers if not server.alive]
        for server in ended:
            server.launch()
        for server in ended:
            server.wait_ready()
        if ended:
            self.publish()
        return [server.name for server in ended]

    def stop(self) -> None:
        """Stop both."""
        for server in self.servers:
            server.stop()

    def publish(self, *, web_url: str = "") -> None:
        """Write `var/run.json`. It names only what runs here: a given URL is not ours to write down."""
        own = {name: url for name, url in self.environment().items() if name not in self._given}
        self._claim.publish(
            database_url=own.get("DATABASE_URL", ""),
            database_owner_url=own.get("DATABASE_OWNER_URL", ""),
            redis_url=own.get("REDIS_URL", ""),
            **({"web_url": web_url} if web_url else {}),
        )

    def environment(self) -> dict[str, str]:
        """DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL, as given, else our own; VAR_DIR, where files belong."""
        own = {"VAR_DIR": str(self.var.resolve())}
        if self._postgres:
            passwords = self._role_passwords()
            port = self._postgres.port
            own["DATABASE_URL"] = roles.database_url(role=roles.APP, password=passwords.app, port=port)
            own["DATABASE_OWNER_URL"] = roles.database_url(role=roles.OWNER, password=passwords.owner, port=port)
        if self._valkey:
            own["REDIS_URL"] = self._valkey.url()
        return self._given | own

    def _make_postgres(self) -> Postgres:
        data = self.var / "postgres"
        if data.exists() and not self._password_file("postgres").exists():
            raise PasswordLost(
                f"{data} has data, but its password is gone ({self._password_file('postgres')}). "
                f"Put the file back, or remove {data} to start over."
            )
        return Postgres(
            programs=find_postgres(),
            identity=find_identity(),
            data=data,
            log=self.log / "postgres.log",
            password=self._password("postgres"),
            durable=self._durable,
        )

    def _make_valkey(self) -> Valkey:
        return Valkey(
            program=find_valkey(),
            data=self.var / "valkey",
            log=self.log / "valkey.log",
            password=self._password("valkey"),
            durable=self._durable,
        )

    def _role_passwords(self) -> roles.RolePasswords:
        return roles.RolePasswords(owner=self._password(roles.OWNER), app=self._password(roles.APP))

    def _password_file(self, name: str) -> Path:
        return self.var / "secrets" / f"{name}.password"

    def _password(self, name: str) -> str:
        return ensure_private(self._password_file(name), random_password)


@contextlib.contextmanager
def running_stack(*, var: Path = VAR, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The servers of a checkout while the context lasts; their data stays.

    Raises: AlreadyRunning, NotInstalled, and what `Stack.start` raises.
    """
    with _stack(var=var, durable=True, environment=environment) as stack:
        yield stack


@contextlib.contextmanager
def ephemeral_stack(*, name: str, var: Path = VAR, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Servers with empty data below `var/NAME-PID`, faster than durable, removed afterwards.

    What an earlier one of this name left because it was killed is removed as well.

    Raises: as `running_stack`.
    """
    for folder in var.glob(f"{name}-*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    own = var / f"{name}-{os.getpid()}"
    try:
        with _stack(var=own, durable=False, environment=environment) as stack:
            yield stack
    finally:
        shutil.rmtree(own, ignore_errors=True)


@contextlib.contextmanager
def _stack(*, var: Path, durable: bool, environment: Mapping[str, str] | None) -> Iterator[Stack]:
    given = os.environ if environment is None else environment
    with FolderLock.on(var) as claim:
        stack = Stack(var=var, claim=claim, durable=durable, given=given)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
