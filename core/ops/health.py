"""Liveness, readiness, warm-up and wind-up. Readiness probes each dependency in parallel, with a time limit."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import get_resolver
from django.utils.module_loading import import_string

from core import deadline, process_caches, redis
from core.errors import Unavailable

# Kubernetes' default time limit of a probe is a second.
PROBE_SECONDS = 0.8
CACHED_SECONDS = 1.0  # however many probe at once, the servers are asked once a second
_GIVE_UP_SECONDS = 5.0  # longer than any caller waits, so that a hanging server is not probed again and again
WARM_REDIS_CONNECTIONS = 2
OK = "ok"
_log = structlog.get_logger(__name__)
_state = {"draining": False, "migrated": False}


@dataclass(slots=True)
class Probe:
    """Probe of one dependency. A hanging server holds one thread, however often readiness is requested.

    `ask` raises if the dependency is unavailable, and core.errors.Unavailable if the process must not serve without it.
    """

    ask: Callable[[], None]
    _asked: "Future[str] | None" = None
    _asked_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> "tuple[Future[str], float]":
        """Probes in a thread, or joins an unfinished probe; returns the future and the time until which to wait."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked, self._asked_at = Future(), time.monotonic()
                threading.Thread(target=self._answer, args=(self._asked,), name="readiness", daemon=True).start()
            return self._asked, self._asked_at + PROBE_SECONDS

    def _answer(self, answer: "Future[str]") -> None:
        try:
            with deadline.within(_GIVE_UP_SECONDS, background=True):
                self.ask()
            answer.set_result(OK)
        except BaseException as error:  # noqa: BLE001  # whatever it was, readiness says it
            answer.set_exception(error)
        finally:
            connections.close_all()  # this thread's; with a pool it goes back there


def warm_up() -> None:
    """Prepares a web process before it takes requests: connections open, code imported, copies loaded.

    A server that is away is logged, not fatal: the process serves what it can (architecture.md section 7).
    Raises: ImproperlyConfigured, which no waiting would mend.
    """
    _ = get_resolver().url_patterns
    steps = [_warm_redis, _check_database, *(import_string(name) for name in settings.WARM_UP)]
    for step in steps:
        try:
            step()
        except ImproperlyConfigured:
            raise
        except Exception as error:  # noqa: BLE001  # whatever is away, the process starts
            _log.warning("warm_up_incomplete", error=str(error))
    connections.close_all()


def wind_up() -> None:
    """Runs the remaining steps of a web process after its last request has been answered."""
    for name in settings.WIND_UP:
        try:
            import_string(name)()
        except Exception:  # noqa: BLE001  # the steps after it are still to be done
            _log.exception("wind_up_incomplete", step=name)


def drain() -> None:
    """Makes `/readyz` return 503 from now on, so that the load balancer sends nothing more."""
    _state["draining"] = True


def healthz(_request: HttpRequest) -> JsonResponse:
    """Answers without checking any dependency."""
    return JsonResponse({"status": OK})


def readyz(_request: HttpRequest) -> JsonResponse:
    """Returns 200 if lists can be served: the process is ready, and Postgres or Redis answers. Reports each probe.

    503 while draining, if neither is reachable, if migrations are missing, or if the process has no tenant cache yet.
    An answer holds for CACHED_SECONDS; draining shows at once.
    """
    if _state["draining"]:
        return JsonResponse({"status": "draining", "checks": {}}, status=503)
    asked_at, checks, blocked = _last.get("answer", _NEVER)
    if time.monotonic() - asked_at >= CACHED_SECONDS:
        checks, blocked = _ask_all(_probes())
        _last["answer"] = (time.monotonic(), checks, blocked)
    usable = not blocked and OK in (checks["database"], checks["redis"])
    everything = all(outcome == OK for outcome in checks.values())
    status = OK if everything else "degraded" if usable else "unavailable"
    return JsonResponse({"status": status, "checks": checks}, status=200 if usable else 503)


def _ask_all(probes: Mapping[str, Probe]) -> tuple[dict[str, str], bool]:
    """Returns the answer of each probe, and true if one of them forbids serving."""
    asked = {name: probe.start() for name, probe in probes.items()}
    checks: dict[str, str] = {}
    blocked = False
    for name, (answer, until) in asked.items():
        try:
            checks[name] = answer.result(timeout=max(0.0, until - time.monotonic()))
        except Unavailable as error:
            checks[name], blocked = str(error), True
        except FutureTimeout:
            checks[name] = f"no answer within {PROBE_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001  # its kind is told, its text may hold addresses
            checks[name] = type(error).__name__
    return checks, blocked


def _probes() -> Mapping[str, Probe]:
    if not _registered:
        _registered["database"] = Probe(_check_database)
        _registered["redis"] = Probe(_check_redis)
        for name, check in settings.READINESS.items():
            _registered[name] = Probe(import_string(check))
    return _registered


_registered: dict[str, Probe] = {}
_NEVER: tuple[float, dict[str, str], bool] = (float("-inf"), {}, True)
_last: dict[str, tuple[float, dict[str, str], bool]] = {}
process_caches.register(_last.clear)


def _warm_redis() -> None:
    redis.warm_up(WARM_REDIS_CONNECTIONS)


def _touch_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_database() -> None:
    _touch_database()
    if not _state["migrated"]:
        _check_migrations()
        _state["migrated"] = True


def _check_migrations() -> None:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        raise Unavailable("the schema cannot be read: run manage.py migrate, which grants the app's rights") from error
    if pending:
        raise Unavailable(f"{len(pending)} migrations are missing: run manage.py migrate")


def _check_redis() -> None:
    # Past the breaker: whether Redis is back is what is asked here.
    redis.client().ping()
