"""The takers of each queue, and the warning where it has none."""

import io
import json
import signal
import time

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from core import redis
from core.queue import enqueue
from tests.workers.processes import CeleryProcess
from workers import presence
from workers.queues import BUILD, NEARLINE, QUEUES, QUICK, WORKERS

pytestmark = pytest.mark.usefixtures("db", "redis_server")
NAMES = [queue.name for queue in QUEUES]


def note(name, queues=(), processes=0):
    presence._Note(json.dumps([name, sorted(queues), processes])).say()


@pytest.fixture
def layout():
    for worker in WORKERS:
        note(f"{worker.name}@host", worker.queues, worker.processes)
    note(presence.BEAT)


def told(*arguments):
    out = io.StringIO()
    try:
        call_command("workers", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


class TestLook:
    def test_without_workers_nothing_is_taken(self):
        found = presence.look()

        assert (found.untaken, found.beat) == (NAMES, False)

    def test_the_usual_layout_takes_everything(self, layout):
        found = presence.look()

        assert (found.untaken, found.beat) == ([], True)
        assert {each.processes for each in found.queues} == {2}

    def test_processes_of_several_workers_add_up(self, layout):
        note("quick@second", (NEARLINE, QUICK), 4)

        assert {each.name: each.processes for each in presence.look().queues}[NEARLINE] == 6

    def test_one_that_says_nothing_any_more_does_not_count(self, layout):
        old = json.dumps(["builds@host", ["docent.build", "docent.imports"], 2])
        redis.client().zadd(presence.KEY, {old: time.time() - presence.FRESH_SECONDS - 5})

        assert presence.look().untaken == ["docent.build", "docent.imports"]

    def test_counts_what_waits(self, layout, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            enqueue("build.train", tenant_id=1, build_id=2)

        assert {each.name: each.waiting for each in presence.look().queues} == {
            name: int(name == BUILD) for name in NAMES
        }


class TestCommand:
    def test_names_the_queues_that_nobody_takes_and_how_to_start_a_worker(self):
        note("quick@host", (NEARLINE, QUICK), 2)
        table, error = told()

        assert "quick@host (2 processes)" in table
        assert table.count("none") == 3
        assert "celery -A workers worker --queues=docent.default,docent.build,docent.imports" in error
        assert "celery -A workers beat" in error

    def test_has_nothing_to_say_against_the_usual_layout(self, layout):
        table, error = told("--wait", "5")

        assert (error, table.count("none")) == ("", 0)
        assert "beat: running" in table


class TestElsewhere:
    def test_the_admin_says_so_until_somebody_takes_them(self, client, request):
        client.force_login(User.objects.create(username="staff", is_staff=True, is_superuser=True))
        assert b"No worker consumes" in client.get("/admin/").content
        request.getfixturevalue("layout")

        assert b"No worker consumes" not in client.get("/admin/").content

    def test_a_tenant_s_own_staff_is_not_told(self, client, cast):
        client.force_login(User.objects.create(username="own", is_staff=True, tenant=cast.acme.tenant))

        assert b"No worker consumes" not in client.get("/admin/").content

    def test_metrics_count_messages_and_processes_by_queue(self, layout, client, settings):
        settings.METRICS_PUBLIC = True
        text = client.get("/metrics").content.decode()

        assert f'docent_queue_messages{{queue="{NEARLINE}"}} 0.0' in text
        assert f'docent_queue_processes{{queue="{NEARLINE}"}} 2.0' in text
        assert "docent_beat_alive 1.0" in text


@pytest.mark.slow
def test_a_worker_is_there_while_it_runs():
    process = CeleryProcess("worker", "-c", "1", "-Q", f"{NEARLINE},{QUICK}", "--without-gossip", "--without-mingle")
    try:
        _wait_for(lambda: NEARLINE not in presence.look().untaken, process)
        process.process.send_signal(signal.SIGTERM)
        process.process.wait(60)
        assert NEARLINE in presence.look().untaken
    finally:
        process.close()


def _wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, process.output
        time.sleep(0.1)
