"""The programs that make up the service, and what each is told through its environment."""

import os
import sys
from dataclasses import dataclass, field

from config.devservers.ports import LOOPBACK, free_port
from config.devservers.servers import Stack
from config.local.credentials import ensure_credentials
from config.local.options import Options
from workers.queues import WORKERS

_SETTINGS = "config.settings.dev"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One command, under the name by which people and log files know it."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command line, under the interpreter that runs us."""
        return [sys.executable, *self.arguments]


def shared_environment(options: Options, *, stack: Stack) -> dict[str, str]:
    """Returns the environment of all programs: ours, the servers, the secrets, the address."""
    settings = os.environ.get("DJANGO_SETTINGS_MODULE") or _SETTINGS
    secret_files = ensure_credentials(var=options.var, given=os.environ)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONUNBUFFERED": "1",
        "HOST": options.host,
        "PORT": str(options.port),
        **stack.environment(),
        # These settings find the files in VAR_DIR by themselves, as they do for a manage.py beside us.
        **({} if settings == _SETTINGS else secret_files),
    }


def simulator() -> tuple[Program, dict[str, str]]:
    """The OpenAI-compatible simulator, and the variables that lead the others to it."""
    port = free_port()
    program = Program(name="simulator", arguments=("-m", "tests.fakes.openai_server", "--port", str(port)))
    return program, {
        "OPENAI_BASE_URL": f"http://{LOOPBACK}:{port}/v1",
        "OPENAI_API_KEY": "simulated",
        "AI_SIMULATED": "1",
    }


def services(options: Options) -> list[Program]:
    """Web, the workers and beat. Each has metrics of its own, and with METRICS_PORT a port: that one and the next."""
    var = options.var.resolve()
    celery = ("-m", "celery", "-A", "workers")
    programs = [
        Program(name="web", arguments=("-m", "gunicorn", "-c", "config/gunicorn.py", "config.wsgi:application")),
        *(
            # They have nothing to tell each other, and would wait a second for answers.
            Program(
                name=f"worker-{worker.name}",
                arguments=(*celery, "worker", *worker.options, "--without-mingle", "--without-gossip"),
            )
            for worker in WORKERS
        ),
        Program(name="beat", arguments=(*celery, "beat", "-s", str(var / "celerybeat-schedule"))),
    ]
    port = int(os.environ.get("METRICS_PORT") or 0)
    for number, program in enumerate(programs):
        program.environment["PROMETHEUS_MULTIPROC_DIR"] = str(var / "prometheus" / program.name)
        program.environment["METRICS_PORT"] = str(port and port + number)
    return programs


def migrate() -> Program:
    """Brings the database up to date."""
    return Program(name="migrate", arguments=("manage.py", "migrate", "--verbosity", "1"))


def tell_demo(options: Options) -> Program:
    """Fills the service with the demo's data and shows a list."""
    return Program(name="demo", arguments=("manage.py", "demo", "--base-url", options.base_url))
