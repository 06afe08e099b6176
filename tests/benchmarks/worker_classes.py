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
import statistics
import tempfile
from pathlib import Path

import django

from tests.benchmarks import hot_read

BEFORE = {"GUNICORN_CMD_ARGS": "--worker-class=gthread", "WEB_THREADS": "4"}


def processor_seconds(pid: int) -> float:
    """CPU time that the server's processes have used so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


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
        for title, conditional, status in (("a list of 20", False, 200), ("the same, unchanged (304)", True, 304)):
            times: dict[str, list[float]] = {name: [] for name in services}
            rates: dict[str, list[float]] = {name: [] for name in services}
            spent = dict.fromkeys(services, 0.0)
            for turn in range(rounds + 1):
                for name, service in services.items():
                    known = hot_read.validators_of(service)  # anew: an ETag lasts for five minutes at most
                    request = hot_read.read_one(service, known if conditional else {})
                    before = processor_seconds(service.pid)
                    took = hot_read.measure(service, request, expected=status, seconds=seconds, connections=connections)
                    if turn:  # the first round is to get warm
                        times[name] += took
                        spent[name] += processor_seconds(service.pid) - before
                        rates[name].append(len(took) / seconds)
            print(title)
            for name in services:
                hot_read.report(name, times[name], seconds * rounds)
                print(f"    {spent[name] / len(times[name]) * 1000:.2f} ms of processor time a request")
            ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
            print(f"  ratio of the rates, by round: median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
