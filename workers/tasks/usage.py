"""Monthly usage: from Redis to Postgres, and back where Redis has lost it."""

from typing import Any

import structlog
from celery import shared_task

from accounts import jobs, usage
from core import clock
from core.redis import RedisUnavailable

_log = structlog.get_logger(__name__)


@shared_task(name=jobs.FLUSH_USAGE)
def flush(**_: Any) -> None:
    """Writes every tenant's counter; without Redis there is nothing to write, and the next minute tries again."""
    try:
        usage.flush(now=clock.now())
    except RedisUnavailable as error:
        _log.warning("usage_not_flushed", error=str(error))
