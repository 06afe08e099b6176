"""Start `python -m config.devservers run` and its like from outside, and see what processes are left."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[3]
Found = TypeVar("Found")


def bare_environment(**more: str) -> dict[str, str]:
    """Our environment without the servers and the settings that the test command gave us."""
    ours = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "VAR_DIR", "DJANGO_SETTINGS_MODULE", "SECRET_KEY"}
    return {name: value for name, value in os.environ.items() if name not in ours} | more


def start(
    *words: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """`python -m WORDS`, with its output in pipes."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env=dict(bare_environment() if environment is None else environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def python(code: str) -> tuple[str, str, str]:
    """The command that runs this code."""
    return sys.executable, "-c", code


def wait_for(probe: Callable[[], Found], *, seconds: float = 15) -> Found:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def processes_of(folder: Path) -> list[str]:
    """The live processes, other than this one, that work in a folder or name it in their command."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            place = (entry / "cwd").readlink()
        except OSError:  # ended meanwhile; a process that ended but was not collected has no directory either
            continue
        if place.is_relative_to(folder) or any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


def children_of(pid: int) -> dict[int, list[str]]:
    """The live children of a process, each with its command, word by word."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = command_of(int(child))
        if words:
            found[int(child)] = words
    return found


def descendants_of(pid: int) -> set[int]:
    """The live children, grandchildren and so on."""
    children = set(children_of(pid))
    return children.union(*(descendants_of(child) for child in children))


def command_of(pid: int) -> list[str]:
    """The words of a live process's command; none when it has ended, collected or not."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
