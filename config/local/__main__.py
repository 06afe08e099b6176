"""`python -m config.local up`: the service. `python -m config.local demo`: the service, filled with data to look at."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from config.devservers.errors import DevServerError
from config.devservers.servers import VAR, Stack, running_stack
from config.devservers.signals import Interrupted, interruptible
from config.local import migration_state, programs
from config.local.options import Options, read_options
from config.local.readiness import wait_until_ready
from config.local.supervisor import Supervisor

_WATCH_SECONDS = 0.2
_FAILED = 1
_STAFF = ".venv/bin/python manage.py staff create NAME --role superuser"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until interrupted. Returns 0 then, 1 if the start failed, 128 + signal if it was interrupted."""
    asked = _parser().parse_args(arguments)
    serving: list[str] = []
    try:
        with interruptible():
            options = read_options(demo=asked.what == "demo", var=asked.var)
            say(f"Starting {_servers(os.environ)}.")
            with running_stack(var=options.var) as stack:
                _serve(options, stack=stack, serving=serving)
    except Interrupted as interrupted:
        say("Stopped." if serving else f"Stopped by {interrupted} before the service was up.")
        return 0 if serving else interrupted.exit_status
    except DevServerError as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED


def say(text: str) -> None:
    """Prints one line immediately."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _servers(given: Mapping[str, str]) -> str:
    """Returns the names of the servers that are started first."""
    own = {"PostgreSQL": "DATABASE_URL", "Valkey": "REDIS_URL"}
    ours = [name for name, variable in own.items() if not given.get(variable)]
    return " and ".join(ours) or "with the servers that DATABASE_URL and REDIS_URL name"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.local", description=__doc__)
    parser.add_argument("what", choices=("up", "demo"))
    parser.add_argument("--var", metavar="FOLDER", type=Path, default=VAR, help="in place of the checkout's var/")
    return parser


def _serve(options: Options, *, stack: Stack, serving: list[str]) -> NoReturn:
    """Start everything, in parallel where nothing depends on it, then watch."""
    environment = programs.shared_environment(options, stack=stack)
    first = []
    if options.simulate_ai:
        simulator, way_there = programs.simulator()
        environment |= way_there
        first.append(simulator)
    supervisor = Supervisor(log=stack.log, environment=environment, say=say)
    try:
        _start(options, supervisor=supervisor, first=first)
        if options.demo:
            supervisor.run(programs.tell_demo(options), shown=True)
        else:
            say(f"Admin: {options.base_url}/admin/ (an account for it: {_STAFF})")
        stack.publish(web_url=options.base_url)
        serving.append(options.base_url)
        say(f"Docent serves at {options.base_url} (logs: {stack.log}). Ctrl-C stops it.")
        _watch(supervisor, stack=stack)
    finally:
        supervisor.stop()


def _start(options: Options, *, supervisor: Supervisor, first: list[programs.Program]) -> None:
    at_once = migration_state.is_current(options.var)
    later = programs.services(options)
    for program in (*first, *later) if at_once else first:
        supervisor.start(program)
    if not at_once:
        say("Bringing the database up to date; on a new one this takes up to half a minute.")
    supervisor.run(programs.migrate())
    migration_state.remember(options.var)
    for program in () if at_once else later:
        supervisor.start(program)
    say("Waiting for the web server.")
    wait_until_ready(host=options.address, port=options.port, still_up=supervisor.require_all)


def _watch(supervisor: Supervisor, *, stack: Stack) -> NoReturn:
    while True:
        for name in stack.revive():
            say(f"{name} had ended and was started again. Logs: {stack.log}")
        supervisor.restart_ended()
        time.sleep(_WATCH_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
