"""A supervisor of child processes: starts, watches, restarts and stops them together."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.devservers import processes
from config.devservers.errors import DevServerError
from config.local.programs import Program

ROOT = Path(__file__).resolve().parents[2]
_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 1.0, 30.0
_STABLE_SECONDS = 60.0


class ProgramFailed(DevServerError):
    """A program ended unexpectedly, or with an error."""


@dataclass(kw_only=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started: float
    delay: float = _FIRST_DELAY_SECONDS
    restart_at: float | None = None


class Supervisor:
    """Runs programs, each in its own session with its own log; SIGKILL to us is SIGKILL to them."""

    def __init__(
        self,
        *,
        log: Path,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        stop_seconds: float = 12.0,
    ) -> None:
        self._log = log
        self._environment = dict(environment)
        self._say = say
        self._stop_seconds = stop_seconds
        self._children: dict[str, _Child] = {}

    def start(self, program: Program) -> None:
        """Start a program and keep it running."""
        process = self._spawn(program, log=self.log_of(program))
        self._children[program.name] = _Child(program=program, process=process, started=time.monotonic())

    def run(self, program: Program, *, shown: bool = False) -> None:
        """Run a program to its end, `shown` to the reader or into its log, while the others must stay up.

        Raises: ProgramFailed when it, or one of the others, fails.
        """
        process = self._spawn(program, log=None if shown else self.log_of(program))
        try:
            while process.poll() is None:
                self.require_all()
                time.sleep(0.05)
        finally:
            processes.stop(process, with_signal=signal.SIGTERM, patience=self._stop_seconds)
        if process.returncode != 0:
            raise self._failure(program, process, shown=shown)

    def require_all(self) -> None:
        """Raises: ProgramFailed when a child has ended; during the start nothing is restarted."""
        for child in self._children.values():
            if child.process.poll() is not None:
                raise self._failure(child.program, child.process)

    def restart_ended(self) -> None:
        """Restart what has ended, after a delay that doubles up to 30 s and is short again after a stable minute."""
        now = time.monotonic()
        for child in self._children.values():
            if child.process.poll() is None:
                continue
            if child.restart_at is None:
                self._plan_restart(child, now=now)
            elif now >= child.restart_at:
                child.process = self._spawn(child.program, log=self.log_of(child.program))
                child.started, child.restart_at = now, None

    def stop(self) -> None:
        """Ask all to end; after `stop_seconds` kill the rest."""
        running = [child.process for child in self._children.values()]
        processes.stop_all([(process, signal.SIGTERM) for process in running], patience=self._stop_seconds)
        self._children.clear()

    def log_of(self, program: Program) -> Path:
        """Returns the log file of a program."""
        return self._log / f"{program.name}.log"

    def _plan_restart(self, child: _Child, *, now: float) -> None:
        processes.kill_session(child.process)  # its own children must not hold ports or tasks any longer
        if now - child.started > _STABLE_SECONDS:
            child.delay = _FIRST_DELAY_SECONDS
        child.restart_at = now + child.delay
        self._say(
            f"{child.program.name} ended with status {processes.exit_status(child.process)}; "
            f"it is started again in {child.delay:g} s. Log: {self.log_of(child.program)}"
        )
        child.delay = min(child.delay * 2, _LONGEST_DELAY_SECONDS)

    def _spawn(self, program: Program, *, log: Path | None) -> subprocess.Popen[bytes]:
        return processes.spawn(
            program.command,
            dies_with_us=signal.SIGKILL,
            environment=self._environment | program.environment,
            log=log,
            folder=ROOT,
        )

    def _failure(self, program: Program, process: subprocess.Popen[bytes], *, shown: bool = False) -> ProgramFailed:
        message = f"{program.name} ended with status {processes.exit_status(process)}"
        log = self.log_of(program)
        return ProgramFailed(f"{message}." if shown else f"{message}. The end of {log}:\n{processes.tail(log)}")
