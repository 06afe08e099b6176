"""Both servers around one command: `python -m config.devservers run [--ephemeral NAME] -- COMMAND [ARGUMENT...]`."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from config.devservers import processes
from config.devservers.errors import DevServerError
from config.devservers.servers import VAR, ephemeral_stack, running_stack
from config.devservers.signals import STOPPING, Interrupted, interruptible

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.05
_REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, or 2 when the servers did not start."""
    options = _parser().parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        _parser().error("name a command behind --")
    try:
        with interruptible(), _servers(options) as environment:
            return _run(command, environment={**os.environ, **environment})
    except Interrupted as interrupted:
        return interrupted.exit_status
    except DevServerError as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.devservers", description=__doc__)
    run = parser.add_subparsers(required=True).add_parser("run", help="run a command with both servers around it")
    run.add_argument(
        "--ephemeral", metavar="NAME", type=_name, help="empty data in var/NAME-PID, fast, removed afterwards"
    )
    run.add_argument("--var", metavar="FOLDER", type=Path, default=VAR, help="in place of the checkout's var/")
    run.add_argument("command", nargs=argparse.REMAINDER, help="its environment gets DATABASE_URL and the like")
    return parser


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*", text):
        raise argparse.ArgumentTypeError("lower-case letters and digits only")
    return text


@contextlib.contextmanager
def _servers(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    var: Path = options.var
    context = ephemeral_stack(name=options.ephemeral, var=var) if options.ephemeral else running_stack(var=var)
    with context as stack:
        yield stack.environment()


def _run(command: Sequence[str], *, environment: dict[str, str]) -> int:
    """Run the command and pass signals on to it. One that ignores them for 30 seconds is killed.

    At a terminal the command stays in our group, where it can read the keyboard and gets Ctrl-C from the terminal
    itself; otherwise it leads a session of its own, of which nothing is left afterwards.
    """
    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    received: list[int] = []

    def remember(signal_number: int, _frame: FrameType | None) -> None:
        received.append(signal_number)

    for stopping in STOPPING:
        signal.signal(stopping, remember)
    process = processes.spawn(
        command,
        dies_with_us=signal.SIGTERM,
        environment=environment,
        own_session=not at_terminal,
        keyboard=at_terminal,
    )
    deadline = float("inf")
    try:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
            while received:
                _forward(process, received.pop(0), at_terminal=at_terminal)
                deadline = min(deadline, time.monotonic() + _PATIENCE_SECONDS)
    finally:
        processes.kill_session(process)
    return processes.exit_status(process)


def _forward(process: subprocess.Popen[bytes], signal_number: int, *, at_terminal: bool) -> None:
    if not at_terminal:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
    elif signal_number != signal.SIGINT:  # the terminal gave that one to the whole group
        process.send_signal(signal_number)


if __name__ == "__main__":
    sys.exit(main())
