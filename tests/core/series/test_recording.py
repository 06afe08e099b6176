"""Metrics of processes, minute by minute, from the counters to PostgreSQL."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from core import redis
from core.redis import batch_stream
from core.series import cleanup, selectors, store, stream
from core.series.families import Family
from core.series.metrics import SERIES_DROPPED
from core.series.models import MetricBatch, MetricMinute, MetricSeries
from core.series.recorder import Recorder
from core.series.rows import Row

pytestmark = pytest.mark.django_db
MINUTE = 1_790_000_040
NOW = datetime.fromtimestamp(MINUTE, UTC) + timedelta(minutes=5)


class Clock:
    """Unix seconds that the test sets."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class Metrics:
    """A registry's worth of metrics: those of one process."""

    def __init__(self):
        registry = CollectorRegistry()
        labels = ["route", "method", "status"]
        self.requests = Histogram("requests", "x", labels, buckets=(0.01, 0.078, 0.22), registry=registry)
        self.lists = Counter("lists", "x", ["source", "degraded"], registry=registry)

    @property
    def families(self):
        return {
            "requests": Family("requests", self.requests, ("route", "method", "status")),
            "lists": Family("lists", self.lists, ("source",)),
        }


@pytest.fixture
def metrics(monkeypatch):
    found = Metrics()
    monkeypatch.setattr("core.series.recorder.families", lambda: found.families)
    return found


@pytest.fixture
def clock():
    return Clock(MINUTE + 0.0)


@pytest.fixture
def recorder(redis_server, metrics, clock):
    made = Recorder(clock)
    made.start("web", thread=False)
    return made


def kept(family):
    return {
        (each.at, *each.labels): (each.count, round(each.total, 6))
        for each in selectors.sums(family, start=MINUTE, end=MINUTE + 3600, step=60)
    }


class TestARecorder:
    def test_keeps_what_came_since_it_started_by_minute_and_class_of_status(self, metrics, recorder, clock):
        metrics.requests.labels("lists", "GET", "200").observe(0.05)
        metrics.requests.labels("lists", "GET", "204").observe(0.2)
        metrics.requests.labels("lists", "GET", "503").observe(1.0)
        metrics.lists.labels("ai", "none").inc()
        metrics.lists.labels("ai", "budget").inc(2)
        clock.now += 60
        recorder.flush()
        metrics.requests.labels("lists", "GET", "200").observe(0.005)
        clock.now += 5
        recorder.flush()
        store.flush(now=NOW)

        assert kept("requests") == {
            (MINUTE, "lists", "GET", "2xx"): (2, 0.25),
            (MINUTE, "lists", "GET", "5xx"): (1, 1.0),
            (MINUTE + 60, "lists", "GET", "2xx"): (1, 0.005),
        }
        assert kept("lists") == {(MINUTE, "ai"): (3, 0.0)}
        (first, *_) = selectors.histograms("requests", start=MINUTE, end=MINUTE + 60, step=60)
        assert (first.bounds, first.buckets) == ((0.01, 0.078, 0.22), (0, 1, 1, 0))
        assert selectors.covered(start=MINUTE, end=MINUTE + 600) == {MINUTE, MINUTE + 60}

    def test_counts_from_zero_in_a_process_that_inherited_its_parents_counters(self, metrics, redis_server, clock):
        metrics.lists.labels("ai", "none").inc(7)
        child = Recorder(clock)
        child.start("worker", thread=False)
        metrics.lists.labels("ai", "none").inc()
        child.stop()
        store.flush(now=NOW)

        assert kept("lists") == {(MINUTE, "ai"): (1, 0)}
        assert selectors.covered(start=MINUTE, end=MINUTE + 600) == set()

    def test_adds_up_over_processes(self, recorder, metrics, clock, monkeypatch):
        others = Metrics()
        monkeypatch.setattr("core.series.recorder.families", lambda: others.families)
        second = Recorder(clock)
        second.start("web", thread=False)
        for _ in range(3):
            for process, counted in ((recorder, metrics), (second, others)):
                counted.lists.labels("ai", "none").inc()
                counted.requests.labels("lists", "GET", "200").observe(0.05)
                process.flush()
            store.flush(now=NOW)

        assert kept("lists") == {(MINUTE, "ai"): (6, 0)}
        (found,) = selectors.histograms("requests", start=MINUTE, end=MINUTE + 60, step=60)
        assert found.buckets == (0, 6, 0, 0)

    def test_keeps_the_rows_while_redis_is_away_and_sends_a_batch_again_under_its_id(
        self, metrics, recorder, clock, monkeypatch
    ):
        answered = stream.append

        def lost(batch_id, rows):  # it arrived, and the answer did not
            answered(batch_id, rows)
            raise redis.RedisUnavailable

        metrics.lists.labels("ai", "none").inc(3)
        with monkeypatch.context() as patch:
            patch.setattr(stream, "append", lost)
            assert recorder.flush() is False
            metrics.lists.labels("ai", "none").inc(4)
            clock.now += 60
            assert recorder.flush() is False
        recorder.stop()
        store.flush(now=NOW)

        assert kept("lists") == {(MINUTE, "ai"): (7, 0)}
        assert MetricBatch.objects.count() == 2

    def test_tells_what_a_stop_lost(self, metrics, recorder, monkeypatch):
        monkeypatch.setattr("core.series.recorder.STOP_SECONDS", 0.01)
        monkeypatch.setattr(stream, "append", lambda batch_id, rows: (_ for _ in ()).throw(redis.RedisUnavailable))
        before = SERIES_DROPPED.labels("stopped")._value.get()
        metrics.lists.labels("ai", "none").inc(3)
        recorder.stop()

        assert SERIES_DROPPED.labels("stopped")._value.get() >= before + 2  # and the process's own row

    def test_bounds_what_waits_in_the_process_and_in_redis(self, metrics, recorder, clock, monkeypatch, settings):
        settings.SERIES_STREAM_BATCHES = 1
        monkeypatch.setattr("core.series.recorder.MOST_ROWS", 4)
        full = SERIES_DROPPED.labels("stream_full")._value.get()
        assert recorder.flush() is True
        with monkeypatch.context() as patch:
            patch.setattr(stream, "append", lambda batch_id, rows: (_ for _ in ()).throw(redis.RedisUnavailable))
            for _ in range(6):
                clock.now += 60
                recorder.flush()
        assert len(recorder._waiting) == 4
        recorder.flush()

        assert SERIES_DROPPED.labels("stream_full")._value.get() > full
        assert redis.client().xlen(stream.STREAM.key) == 1


class TestStoring:
    def test_counts_a_batch_once_however_often_it_is_delivered(self, metrics, recorder, monkeypatch):
        monkeypatch.setattr(batch_stream, "CLAIM_SECONDS", 0)
        metrics.lists.labels("ai", "none").inc()
        recorder.flush()
        with monkeypatch.context() as patch:  # the process dies after the commit
            patch.setattr(stream, "acknowledge", lambda deliveries: (_ for _ in ()).throw(redis.RedisUnavailable))
            with pytest.raises(redis.RedisUnavailable):
                store.flush(now=NOW)

        assert store.flush(now=NOW) == 0
        assert kept("lists") == {(MINUTE, "ai"): (1, 0)}
        assert redis.client().xlen(stream.STREAM.key) == 0

    def test_lets_go_of_what_cannot_be_read_and_of_what_is_too_old(self, metrics, recorder):
        redis.client().xadd(stream.STREAM.key, {"batch": "nonsense", "rows": "["})
        redis.client().xadd(stream.STREAM.key, {"batch": uuid.uuid4().hex, "rows": "[[1, 2]]"})
        recorder.flush()
        store.flush(now=NOW + timedelta(days=7))

        assert redis.client().xlen(stream.STREAM.key) == 0
        assert not MetricMinute.objects.exists()

    def test_has_a_most_number_of_series(self, monkeypatch):
        monkeypatch.setattr(store, "MOST_SERIES", 3)
        rows: dict[tuple[int, str, tuple[str, ...], tuple[float, ...]], Row] = {
            (MINUTE, "lists", (f"source {n}",), ()): Row(count=1) for n in range(10)
        }
        store.add(rows)
        store.add(rows)

        assert MetricSeries.objects.count() == 4
        assert kept("lists")[MINUTE, "other"] == (14, 0)

    def test_keeps_histograms_with_other_bounds_apart(self):
        for bounds in ((0.1,), (0.1, 0.2)):
            store.add({(MINUTE, "redis", (), bounds): Row(count=1, buckets=[1] * (len(bounds) + 1))})

        found = list(selectors.histograms("redis", start=MINUTE, end=MINUTE + 60, step=60))
        assert {each.bounds for each in found} == {(0.1,), (0.1, 0.2)}

    def test_forgets_minutes_and_batches_after_their_time(self, metrics, recorder, settings):
        recorder.flush()
        store.flush(now=NOW)

        assert cleanup.purge(now=NOW + timedelta(days=34)) == 1
        assert MetricMinute.objects.exists()
        assert cleanup.purge(now=NOW + timedelta(days=36)) == 1
        assert not MetricMinute.objects.exists()
