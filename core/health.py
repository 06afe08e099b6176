"""Liveness, readiness and warm-up. Readiness asks each thing that is needed, each with a time limit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string

from core import redis

PROBE_SECONDS = 1.0
_log = structlog.get_logger(__name__)
_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readiness")
_state = {"warm": False, "draining": False, "migrated": False}


def warm_up() -> None:
    """Prepares a web process before it takes requests: connections open, code imported, copies loaded.

    A server that is away is logged, not fatal: the process serves what it can (architecture.md section 7).
    """
    import_string("config.urls.urlpatterns")
    for step in (lambda: redis.warm_up(2), _touch_database, *_registered()):
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whatever is away, the process starts
            _log.warning("warm_up_incomplete", error=str(error))
    connections.close_all()
    _state["warm"] = True


def drain() -> None:
    """From now on `/readyz` says 503, so that the balancer sends nothing more."""
    _state["draining"] = True


def _registered() -> list[Callable[[], None]]:
    return [import_string(name) for name in getattr(settings, "WARM_UP", [])]


def _touch_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_database() -> str:
    try:
        _touch_database()
        if not _state["migrated"]:
            executor = MigrationExecutor(connection)
            pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if pending:
                return f"{len(pending)} migrations are missing: run manage.py migrate"
            _state["migrated"] = True
        return "ok"
    finally:
        connection.close()


def _check_redis() -> str:
    redis.client().ping()
    return "ok"


def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when lists can be served: Postgres with every migration, or else Redis. Says how each part is.

    503 while draining, or when neither can be reached.
    """
    if _state["draining"]:
        return JsonResponse({"status": "draining", "checks": {}}, status=503)
    checks = {name: _run(check) for name, check in (("database", _check_database), ("redis", _check_redis))}
    unmigrated = "migrations" in checks["database"]
    usable = not unmigrated and "ok" in checks.values()
    degraded = [name for name, outcome in checks.items() if outcome != "ok"]
    status = "ok" if not degraded else "degraded" if usable else "unavailable"
    return JsonResponse({"status": status, "checks": checks}, status=200 if usable else 503)


def _run(check: Callable[[], Any]) -> str:
    try:
        return str(_pool.submit(check).result(timeout=PROBE_SECONDS))
    except FutureTimeout:
        return f"no answer within {PROBE_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001  # whatever it was, the answer says it
        return type(error).__name__
