"""The warm read through our worker class and through gunicorn's own threads, in turn, on the same machine.

    .venv/bin/python -m config.devservers run --ephemeral bench -- \\
        .venv/bin/python -m tests.benchmarks.worker_classes --rounds 8

Both servers run all the time and one of them is asked at a time, for some seconds each, so that whatever else the
machine does disturbs both alike. Prints requests per second and percentiles of each, the ratio of the rates, and the
processor time of a request, which others disturb least.
"""

import argparse
import os
import secrets
import tempfile
from pathlib import Path

import django

from tests.benchmarks import hot_read
from tests.benchmarks.peers import load

BEFORE = {"GUNICORN_CMD_ARGS": "--worker-class=gthread", "WEB_THREADS": "4"}


def main() -> None:
    """Prepare, serve twice, measure in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=hot_read.CONNECTIONS)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    with tempfile.TemporaryDirectory() as folder:
        from config.local.credentials import ensure_credentials

        os.environ |= ensure_credentials(var=Path(folder), given=os.environ)
        _run(asked.rounds, asked.seconds, asked.connections)


def _run(rounds: int, seconds: float, connections: int) -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    token = hot_read.prepare()
    with hot_read.serving(token) as ours, hot_read.serving(token, **BEFORE) as gthread:
        services = {"ours": ours, "gthread, 4 threads": gthread}
        for title in ours.targets():
            print(title)
            targets = {name: service.targets()[title] for name, service in services.items()}
            load.compare(targets, rounds=rounds, seconds=seconds, connections=connections)


if __name__ == "__main__":
    main()
