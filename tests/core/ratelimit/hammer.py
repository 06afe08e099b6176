"""One web process's worth of calls: `hammer.py THREADS CALLS SECONDS PAUSE COUNT WINDOW`, then JSON on stdout.

Each thread makes CALLS calls, or as many as fit into SECONDS where CALLS is 0, with PAUSE seconds between them.
"""

import json
import os
import sys
import threading
import time
from collections import Counter

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"


def main(threads: int, calls: int, seconds: float, pause: float, count: int, window: int) -> None:
    """Hammer, and report outcomes by whether Redis decided, errors and latencies in milliseconds."""
    # The settings are enough: no application takes part, which halves the start.
    import structlog
    from django.conf import settings

    from core import redis
    from core.ratelimit import RateLimit
    from tests.core.ratelimit.calls import ask, limits

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    settings.RATE_LIMIT_PROCESSES = int(os.environ["RATE_LIMIT_PROCESSES"])
    redis.warm_up(threads)
    asked = limits(RateLimit("read", count, window, count))
    outcomes: Counter[str] = Counter()
    took: list[float] = []
    lock = threading.Lock()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds

    def run() -> None:
        done = 0
        while done < calls if calls else time.monotonic() < end:
            done += 1
            started = time.perf_counter()
            try:
                decision = ask(limits=asked)
                outcome = f"{'redis' if decision.exact else 'alone'}:{decision.outcome}"
            except Exception as error:  # noqa: BLE001  # the drill counts what would have been a 500
                outcome = f"error:{error!r}"
            with lock:
                outcomes[outcome] += 1
                took.append((time.perf_counter() - started) * 1000)
            time.sleep(pause)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took.sort()
    print(json.dumps({"outcomes": outcomes, "p95_ms": took[int(len(took) * 0.95)], "max_ms": took[-1]}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
