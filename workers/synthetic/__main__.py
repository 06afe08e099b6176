"""`python -m workers.synthetic --region eu-1 --base-url https://docent.example.org`: the checks from one region.

The client's credentials come from SYNTHETIC_CLIENT_ID and SYNTHETIC_CLIENT_SECRET, or from the files that
SYNTHETIC_CLIENT_ID_FILE and SYNTHETIC_CLIENT_SECRET_FILE name; `manage.py synthetic_tenant` makes them.
"""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

from workers.synthetic import exporter
from workers.synthetic.outcomes import History
from workers.synthetic.runner import (
    USUAL_CHECK_SECONDS,
    USUAL_INTERVAL_SECONDS,
    Target,
    run_forever,
    run_round,
    say,
)


def main() -> int:
    """Runs one round, or rounds until SIGTERM or Ctrl-C. Status 1 after a failed round, 2 for a wrong option."""
    options = _options()
    try:
        target = Target(
            region=options.region,
            base_url=options.base_url,
            client_id=_credential("SYNTHETIC_CLIENT_ID"),
            client_secret=_credential("SYNTHETIC_CLIENT_SECRET"),
            check_seconds=options.check_seconds,
        )
    except (ValueError, OSError) as error:
        print(f"Not started: {error}. --help explains the options.", file=sys.stderr)  # noqa: T201
        return 2
    if options.once:
        failed = False
        for outcome in run_round(target):
            say(outcome)
            failed = failed or bool(outcome.error)
        return int(failed)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    history = History(target.region, time.time())
    with exporter.serving(history, host=options.metrics_host, port=options.metrics_port) as port:
        print(f"Metrics on http://{options.metrics_host}:{port}/metrics", file=sys.stderr, flush=True)  # noqa: T201
        run_forever(target, history, interval=options.interval, stop=stop)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m workers.synthetic",
        description="Calls the service as a customer's systems do, and exposes the outcomes as metrics.",
        epilog="Credentials: SYNTHETIC_CLIENT_ID and SYNTHETIC_CLIENT_SECRET, or files named by their _FILE forms.",
    )
    parser.add_argument("--region", required=True, help="name of this place in metrics and alerts, such as eu-1")
    parser.add_argument("--base-url", required=True, help="the service, such as https://docent.example.org")
    parser.add_argument("--once", action="store_true", help="one round; the status is 1 if a check failed")
    parser.add_argument("--interval", type=float, default=USUAL_INTERVAL_SECONDS, help="seconds between rounds")
    parser.add_argument("--check-seconds", type=float, default=USUAL_CHECK_SECONDS, help="deadline of each check")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="address of /metrics and /outcomes")
    parser.add_argument("--metrics-port", type=int, default=9109, help="0: any free port")
    return parser.parse_args()


def _credential(name: str) -> str:
    if path := os.environ.get(f"{name}_FILE", ""):
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ.get(name, "").strip()


if __name__ == "__main__":
    sys.exit(main())
