"""Fallback statistics equal what was noted, by tenant, reason and window."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.tenancy import scope
from recommendations.ai import maintenance
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.maintenance import MaintenanceReport, run_maintenance
from recommendations.ai.models import AIFallbackStat, AIReservation
from recommendations.ai.uplift import fallback_stats

NOW = datetime(2026, 11, 23, 12, 3, 30, tzinfo=UTC)
DAY = timedelta(hours=24)


def _note(tenant_id, *, meant=0, now=NOW, skipped=None, **reasons) -> None:
    fallback_stats.record_lists(tenant_id=tenant_id, now=now, meant=meant, fallbacks=reasons, skipped=skipped or {})


class TestRead:
    def test_adds_up_what_was_noted(self, tenant_id):
        _note(tenant_id, meant=30, budget=2, skipped={"off": 5})
        _note(tenant_id, meant=20, budget=1, timeout=2)

        found = fallback_stats.load_counts(now=NOW, window=DAY, tenant_id=tenant_id)

        assert (found.meant, found.fallbacks, found.skipped) == (50, {"budget": 3, "timeout": 2}, {"off": 5})
        assert found.ratio == 0.1

    def test_loses_none_of_concurrent_chunks(self, tenant_id):
        def chunk(_):
            _note(tenant_id, meant=3, breaker=1, error=1)
            connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(chunk, range(40)))

        found = fallback_stats.load_counts(now=NOW, window=DAY, tenant_id=tenant_id)
        assert (found.meant, found.fallbacks) == (120, {"breaker": 40, "error": 40})

    def test_is_undone_with_the_transaction_of_its_lists(self, tenant_id):
        def save() -> None:
            with scope.tenant(tenant_id):
                _note(tenant_id, meant=3)
                raise LookupError("the chunk's lease is lost")

        with pytest.raises(LookupError):
            save()

        assert fallback_stats.load_counts(now=NOW, window=DAY, tenant_id=tenant_id).meant == 0

    @pytest.mark.parametrize(("window", "meant"), [(timedelta(minutes=5), 1), (timedelta(hours=1), 11), (DAY, 111)])
    def test_looks_back_so_far_and_no_further(self, tenant_id, window, meant):
        for hours, lists in ((0, 1), (0.5, 10), (20, 100), (25, 1000)):
            _note(tenant_id, meant=lists, now=NOW - timedelta(hours=hours))

        assert fallback_stats.load_counts(now=NOW, window=window, tenant_id=tenant_id).meant == meant

    def test_says_nothing_of_fewer_than_20_lists(self, tenant_id):
        _note(tenant_id, meant=19, error=19)

        assert fallback_stats.load_counts(now=NOW, window=DAY).ratio is None

    def test_keeps_tenants_apart(self, tenant_id):
        _note(tenant_id, meant=50)

        assert fallback_stats.load_counts(now=NOW, window=DAY, tenant_id=tenant_id + 1).meant == 0
        assert fallback_stats.load_counts(now=NOW, window=DAY).meant == 50


class TestTidy:
    def test_renews_gauges_and_removes_what_is_over(self, tenant_id, redis_server):
        _note(tenant_id, meant=40, error=10)
        _note(tenant_id, meant=40, now=NOW - timedelta(days=91))
        with scope.tenant(tenant_id):
            AIReservation.objects.create(tenant_id=tenant_id, day=NOW.date(), tokens=0, nano_usd=1, expires_at=NOW)

        done = run_maintenance(AIConfiguration(), now=NOW)

        assert done == MaintenanceReport(reservations=1, calls=0, answers=0, statistics=1, sent=0, vectors=0)
        assert {labels: value for _, labels, value in maintenance.measure(now=NOW)} == {("5m",): 0.25, ("24h",): 0.25}
        with scope.tenant(tenant_id):
            assert AIFallbackStat.objects.count() == 2
