"""Outcomes in PostgreSQL, for staff, and the totals of the region that beat runs in Redis, for Prometheus.

A worker runs those checks, and a web process is scraped. So the counters are in Redis, as queue lengths are.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from accounts.models import SyntheticOutcome, Tenant
from accounts.tenancy import scope
from core import redis
from core.postgres.batches import delete_in_batches
from core.redis import RedisUnavailable
from workers.synthetic.outcomes import Outcome, Totals, exposition

KEY = "docent:synthetic"


def keep(outcomes: Sequence[Outcome]) -> None:
    """Stores outcomes for the admin; one that is stored already is left alone.

    Without a synthetic tenant (`manage.py synthetic_tenant`) nothing is stored.
    """
    with scope.all_tenants("synthetic outcomes"):
        tenant_id = Tenant.objects.filter(synthetic=True).values_list("pk", flat=True).first()
        if tenant_id is not None:
            SyntheticOutcome.objects.bulk_create((_row(tenant_id, each) for each in outcomes), ignore_conflicts=True)


def purge(*, now: datetime) -> int:
    """Deletes outcomes older than SYNTHETIC_DAYS; returns their number."""
    old = SyntheticOutcome.objects.filter(started_at__lt=now - timedelta(days=settings.SYNTHETIC_DAYS))
    return delete_in_batches(old, scope=partial(scope.all_tenants, "synthetic outcomes: retention"))


def count(outcomes: Sequence[Outcome]) -> None:
    """Adds the outcomes to the totals that `metrics` shows.

    Raises: core.redis.RedisUnavailable.
    """

    def write(client: Any) -> None:
        pipeline = client.pipeline(transaction=False)
        for each in outcomes:
            pipeline.hincrby(KEY, json.dumps([each.region, each.check, each.name]), 1)
            pipeline.hset(KEY, json.dumps([each.region, each.check]), each.seconds)
            pipeline.hset(KEY, json.dumps([each.region]), each.started_at)
        pipeline.execute()

    redis.call("synthetic", write)


def metrics() -> bytes:
    """Lines for Prometheus: the totals of the region that beat runs. Empty without such a region, or without Redis."""
    if not settings.SYNTHETIC_REGION:
        return b""
    try:
        raw = redis.call("synthetic", lambda client: client.hgetall(KEY))
    except RedisUnavailable:
        return b""
    found = {tuple(json.loads(key)): float(value) for key, value in raw.items()}
    own = {key: value for key, value in found.items() if key[0] == settings.SYNTHETIC_REGION}
    return exposition(
        Totals(
            counts={(key[0], key[1], key[2]): value for key, value in own.items() if len(key) == 3},
            seconds={(key[0], key[1]): value for key, value in own.items() if len(key) == 2},
            last_run={key[0]: value for key, value in own.items() if len(key) == 1},
        )
    )


def _row(tenant_id: int, outcome: Outcome) -> SyntheticOutcome:
    return SyntheticOutcome(
        tenant_id=tenant_id,
        region=outcome.region,
        check_name=outcome.check,
        started_at=datetime.fromtimestamp(outcome.started_at, UTC),
        seconds=outcome.seconds,
        ok=not outcome.error,
        error=outcome.error,
    )
