"""Heartbeats of queues: a worker that is alive but consumes nothing shows to operators, probes and alerts."""

import io
import json
import socket
import time
import urllib.request
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from prometheus_client.parser import text_string_to_metric_families

from config.devservers.ports import LOOPBACK, free_port
from core import redis
from core.ops import measures
from tests.core import sockets
from tests.workers.processes import CeleryProcess, beat
from workers import heartbeats, presence
from workers.celery import app
from workers.presence import Presence, QueueState, Taker
from workers.queues import DEFAULT, NEARLINE, QUICK

pytestmark = pytest.mark.usefixtures("redis_server")
HERE = f"celery@{socket.gethostname()}"


def note(name=HERE, *, queues=(QUICK,), processes=1, busy=False, idle=0.0):
    presence._Note(json.dumps([name, sorted(queues), processes])).say()
    redis.client().hset(presence.STATES, name, json.dumps([busy, idle]))


def heartbeat(queue=QUICK, *, seconds_ago):
    redis.client().hset(heartbeats.KEY, queue, int(time.time()) - seconds_ago)


def probe(*arguments):
    """The probe's words, and whether it is content."""
    out = io.StringIO()
    try:
        call_command("health", *arguments, stdout=out)
    except CommandError as error:
        return str(error), False
    return out.getvalue().strip(), True


class TestQueue:
    def state(self, **changed):
        usual = {"takers": (Taker(HERE, (QUICK,), 2),), "heartbeat_seconds": 31.0}
        return QueueState(QUICK, 0, **{**usual, **changed})

    def test_is_stalled_where_a_free_worker_runs_no_heartbeat(self):
        assert self.state().stalled
        assert not self.state(heartbeat_seconds=30.0).stalled
        assert not self.state(heartbeat_seconds=None).stalled

    def test_is_not_stalled_while_every_process_is_busy_or_nobody_takes_it(self):
        busy, free = Taker(HERE, (QUICK,), 2, busy=True), Taker("other@host", (QUICK,), 2)

        assert not self.state(takers=(busy,)).stalled
        assert self.state(takers=(busy, free)).stalled
        assert not self.state(takers=()).stalled

    def test_without_beat_nobody_knows(self):
        assert Presence((self.state(),), beat=True).stalled == [QUICK]
        assert Presence((self.state(),), beat=False).stalled == []


class TestLook:
    def test_tells_the_age_of_heartbeats_and_of_the_oldest_message(self):
        note()
        heartbeat(seconds_ago=40)
        with app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            for age in (50, 20):
                message = json.dumps({"body": "", "headers": {"sent_at": time.time() - age}, "properties": {}})
                channel.client.lpush(DEFAULT, message)

        found = {each.name: each for each in presence.look().queues}

        assert found[QUICK].heartbeat_seconds == pytest.approx(40, abs=3)
        assert found[DEFAULT].oldest_seconds == pytest.approx(50, abs=3)
        assert found[NEARLINE].heartbeat_seconds is None
        text = presence.metrics().decode()
        assert f'docent_queue_busy{{queue="{QUICK}"}} 0.0' in text
        assert f'docent_queue_heartbeat_age_seconds{{queue="{NEARLINE}"}}' not in text


class TestProbe:
    def test_of_a_worker(self):
        assert probe("worker") == (f"No worker @{socket.gethostname()} has said anything for 30 s.", False)
        note(presence.BEAT, queues=(), processes=0)
        note(idle=59.0)
        assert probe("worker") == (f"{HERE}: consuming.", True)
        note(idle=61.0)
        assert probe("worker") == (f"{HERE} has taken nothing for 61 s, and is not busy.", False)
        note("other@elsewhere", idle=0.0)
        assert probe("worker")[1], "they share the heartbeats of the queue"
        note(idle=121.0)
        assert not probe("worker", "--name", HERE)[1]
        note(idle=900.0, busy=True)
        assert probe("worker")[1]

    def test_of_a_worker_says_nothing_against_it_while_beat_is_away(self):
        note(idle=900.0)

        assert probe("worker")[1]

    def test_of_beat(self):
        assert probe("beat") == ("Beat has sent nothing for 30 s.", False)
        note(presence.BEAT, queues=(), processes=0)
        assert probe("beat") == ("Beat sends.", True)

    def test_without_redis_nothing_is_known_and_nothing_is_restarted(self, settings):
        settings.REDIS_URL = f"redis://{LOOPBACK}:{sockets.closed_port()}/0"
        redis.client.cache_clear()
        try:
            said, content = probe("worker")
        finally:
            redis.client.cache_clear()

        assert content
        assert said.startswith("Unknown, since Redis does not answer")


class TestMeasures:
    def test_are_reported_by_every_web_process_until_nobody_measures(self, db, client, settings):
        settings.METRICS_PUBLIC = True
        assert b"docent_list_age_seconds" not in client.get("/metrics").content

        assert measures.measure(now=_now()) >= 8
        text = client.get("/metrics").content.decode()

        for name in ("docent_list_age_seconds", "docent_nearline_lag_seconds", "docent_impression_stream_batches"):
            assert f"{name} 0.0" in text
        assert 'docent_quota_use_tenants{used="0-50"}' in text
        assert 0 < redis.client().ttl(measures.KEY) <= measures.KEPT_SECONDS

    def test_one_that_fails_leaves_the_others(self, db, settings, tmp_path, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "gone"))
        settings.MEASURES = ["core.ops.secret_files.measure", "recommendations.pipeline.measures.measure"]

        assert measures.measure(now=_now()) == 4

    def test_a_secret_is_as_old_as_its_file(self, db, settings, tmp_path, monkeypatch):
        (tmp_path / "key").write_text("secret", encoding="utf-8")
        monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
        settings.MEASURES = ["core.ops.secret_files.measure"]

        measures.measure(now=_now())

        assert 'docent_secret_age_seconds{secret="OPENAI_API_KEY"}' in measures.metrics().decode()


def _now():
    from core import clock

    return clock.now()


def scrape(port):
    """The samples of a worker or of beat, by name and labels."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.slow
def test_a_worker_that_is_alive_but_consumes_nothing_shows_within_a_minute(committed_db, tmp_path):
    own, beats = free_port(), free_port()
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"), "METRICS_PORT": str(own)}
    process = CeleryProcess("worker", "-c", "2", "-Q", f"{NEARLINE},{QUICK}", "--without-gossip", **variables)
    try:
        with beat(METRICS_PORT=str(beats)) as scheduler:
            _wait_for(lambda: _heartbeat(QUICK) is not None and presence.look().beat, process)
            done = ("docent_tasks_total", ("outcome", "success"), ("task", "metrics.heartbeat"))
            _wait_for(lambda: scrape(own).get(done, 0) >= 2, process)
            assert ("docent_queue_wait_seconds_count", ("queue", QUICK)) in scrape(own)
            assert ("process_cpu_seconds_total",) in scrape(beats), scheduler.output
            assert probe("worker") == (f"{HERE}: consuming.", True)

            app.control.cancel_consumer(QUICK)
            app.control.cancel_consumer(NEARLINE)
            stopped = time.monotonic()
            _wait_for(lambda: set(presence.look().stalled) == {NEARLINE, QUICK}, process)
            seen = time.monotonic() - stopped
            assert HERE in {worker.name for worker in presence.look().workers}, "it says that it is there"
            _wait_for(lambda: not probe("worker")[1], process)
            print(f"stalled queues were seen {seen:.0f} s after their worker had stopped consuming")

            app.control.add_consumer(QUICK)
            app.control.add_consumer(NEARLINE)
            _wait_for(lambda: not presence.look().stalled and probe("worker")[1], process)
    finally:
        process.close()


def _heartbeat(queue):
    return next(each.heartbeat_seconds for each in presence.look().queues if each.name == queue)


def _wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, process.output
        time.sleep(0.25)
