"""The web server's configuration: `gunicorn -c config/gunicorn.py config.wsgi:application`.

Variables: HOST, PORT, WEB_CONCURRENCY (processes), WEB_THREADS (per process), FORWARDED_ALLOW_IPS (proxies whose
X-Forwarded-* headers count), DRAIN_SECONDS (how long a server that stops still answers, while /readyz says 503; as
long as the balancer needs to notice), PROMETHEUS_MULTIPROC_DIR (where one server's processes share their metrics),
METRICS_HOST and METRICS_PORT (where they are to be had, if not at PORT).
"""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from django.utils.module_loading import import_string
from gunicorn import util
from prometheus_client import multiprocess

_host = os.environ.get("HOST") or "127.0.0.1"
_drain_seconds = float(os.environ.get("DRAIN_SECONDS") or 0)
_shared_metrics = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")

_metrics_host = os.environ.get("METRICS_HOST") or "127.0.0.1"
_metrics_port = int(os.environ.get("METRICS_PORT") or 0)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


bind = [_address(_host, int(os.environ.get("PORT") or 8000))]
if _metrics_port:
    bind.append(_address(_metrics_host, _metrics_port))
worker_class = "core.web_server.worker.BufferingWorker"  # gthread, in which no thread waits for a client
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 6)
# Each process opens its own connections: nothing open may cross a fork.
preload_app = False
graceful_timeout = 30 + int(_drain_seconds)
timeout = 60
# Longer than the idle time-out of the usual balancers, so that they close first and no request meets a closed socket.
keepalive = 75
limit_request_line = 8190  # gunicorn's most: a hundred ids to exclude have room
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1"
accesslog = None  # the application logs requests itself, with tenant and trace
errorlog = "-"
# The heartbeat file is touched once a second: in memory, where a busy disk cannot delay it.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # gunicorn unlinks the file
control_socket_disable = True
# No header sets SCRIPT_NAME or PATH_INFO, whoever sends it: a proxy's rules about paths must hold.
forwarder_headers = ""
# Answers go through the event loop, which waits for slow readers.
sendfile = False


def on_starting(_server: Any) -> None:
    """Empty the shared metrics: what an earlier server counted is not ours."""
    if _shared_metrics:
        folder = Path(_shared_metrics)
        folder.mkdir(parents=True, exist_ok=True)
        for counted in folder.glob("*.db"):
            counted.unlink(missing_ok=True)


def post_worker_init(worker: Any) -> None:
    """Open connections and load what the first request would otherwise wait for; announce a stop before it comes."""
    import_string("core.ops.health.warm_up")()
    # There is no hook for what is refused before there is a request: bad request lines, headers that are too long.
    util.write_error = import_string("core.http.gunicorn_errors.write")

    def drain(signal_number: int, frame: FrameType | None) -> None:
        import_string("core.ops.health.drain")()
        last = threading.Timer(_drain_seconds, worker.handle_exit, (signal_number, frame))
        last.daemon = True
        last.start()

    signal.signal(signal.SIGTERM, drain)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Hand over what the process has collected and not sent."""
    import_string("core.ops.health.wind_up")()


def child_exit(_server: Any, worker: Any) -> None:
    """Take a dead process's gauges out of the sums."""
    if _shared_metrics:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
