"""The metrics of a worker and of beat, at METRICS_HOST:METRICS_PORT of each.

A worker's pool shares its metrics through PROMETHEUS_MULTIPROC_DIR, a folder of this worker alone; its main process
sums them up. Beat is one process and needs no folder.
"""

import os
import socket
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import structlog
from celery.signals import beat_init, celeryd_init, worker_process_init, worker_ready
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, multiprocess, start_http_server

_ENDING = ".db"
_log = structlog.get_logger(__name__)
_sockets: list[socket.socket] = []


def serve(host: str, port: int) -> WSGIServer:
    """Serves the metrics of this process and of its pool in a thread.

    Raises: OSError when the address cannot be used.
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    registry = CollectorRegistry() if folder else REGISTRY
    if folder:
        _PoolCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    server, _ = start_http_server(port, addr=host, registry=registry)
    _sockets.append(server.socket)
    return server


class _PoolCollector(multiprocess.MultiProcessCollector):
    """The pool's metrics, without the gauges of processes that have ended."""

    def collect(self) -> Any:
        for path in Path(self._path).glob(f"gauge_live*{_ENDING}"):
            if not Path("/proc", path.name.rpartition("_")[2].removesuffix(_ENDING)).exists():
                path.unlink(missing_ok=True)
        return super().collect()  # type: ignore[no-untyped-call]


def empty(folder: Path) -> None:
    """Removes what an earlier worker has counted, but not what this process counts."""
    folder.mkdir(parents=True, exist_ok=True)
    for counted in folder.glob(f"*{_ENDING}"):
        if not counted.name.endswith(f"_{os.getpid()}{_ENDING}"):
            counted.unlink(missing_ok=True)


def _serve_if_wanted(**_: Any) -> None:
    if settings.METRICS_PORT:
        try:
            serve(os.environ.get("METRICS_HOST") or "127.0.0.1", settings.METRICS_PORT)
        except OSError as error:  # work is worth more than figures about it
            _log.error("metrics_not_served", port=settings.METRICS_PORT, error=str(error))


def _empty_folder() -> bool:
    """Empties PROMETHEUS_MULTIPROC_DIR; returns false if there is none."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        empty(Path(folder))
    return bool(folder)


@celeryd_init.connect
def _on_start(**_: Any) -> None:
    if not _empty_folder() and settings.METRICS_PORT:
        _log.warning("metrics_incomplete", hint="Set PROMETHEUS_MULTIPROC_DIR: the pool's processes count there.")


worker_ready.connect(_serve_if_wanted, weak=False)


@beat_init.connect
def _on_beat(**_: Any) -> None:
    _empty_folder()
    _serve_if_wanted()


@worker_process_init.connect
def _in_the_pool(**_: Any) -> None:
    for each in _sockets:  # a process that outlives the worker must not keep its port
        each.close()
