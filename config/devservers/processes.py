"""Child processes that end with us: in a session of their own, bound to our life, stopped within a set time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

_BOUND = Path(__file__).with_name("pdeathsig.py")
_LOG_BYTES = 5_000_000


def spawn(
    command: Sequence[str | Path],
    *,
    dies_with_us: signal.Signals,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    own_session: bool = True,
    keyboard: bool = False,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command that gets the signal `dies_with_us` when the calling thread ends, even by SIGKILL.

    Output goes to the end of `log`, or where ours goes. In a session of its own the terminal's Ctrl-C does not reach
    it, so that we decide about the order. A command that cannot be executed ends with status 127.
    """
    words = [sys.executable, "-I", "-S", str(_BOUND), str(int(dies_with_us)), str(os.getpid())]
    with _output(log) as output:
        return subprocess.Popen(  # noqa: S603  # commands are ours, or the developer's own
            [*words, *map(str, command)],
            env=environment,
            cwd=folder,
            stdin=None if keyboard else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=own_session,
        )


def stop(process: subprocess.Popen[bytes], *, with_signal: signal.Signals, patience: float) -> None:
    """Ask a process to end; after `patience` seconds kill it. Whatever is left of its session is killed."""
    stop_all([(process, with_signal)], patience=patience)


def stop_all(asked: Iterable[tuple[subprocess.Popen[bytes], signal.Signals]], *, patience: float) -> None:
    """`stop` for several at once, with one common patience in seconds."""
    processes = list(asked)
    for process, with_signal in processes:
        process.send_signal(with_signal)
    deadline = time.monotonic() + patience
    for process, _ in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        kill_session(process)
        process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process and, where it leads a session, to everything that it left there."""
    process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # A process that shares our own session leads no group: its id names none, and nothing happens.
        os.killpg(process.pid, signal.SIGKILL)


def exit_status(process: subprocess.Popen[bytes]) -> int:
    """The status as a shell counts it: 128 + the signal for a process that a signal ended."""
    status = process.wait()
    return 128 - status if status < 0 else status


def tail(log: Path, *, lines: int = 20) -> str:
    """The last lines of a log, for a message about a failure."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - lines * 400))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[IO[bytes] | None]:
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as file:
        yield file
