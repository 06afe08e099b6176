"""The tasks: every name that somebody asks for is implemented once, and web processes do not carry the load."""

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from django.conf import settings
from django.db import connection

from core import redis
from core.metrics.task_names import HEARTBEAT
from core.queue import enqueue
from tests.recommendations.pipeline.queue import QUEUES, sent
from workers import messages
from workers.celery import app
from workers.queues import BUILD, DEFAULT, NEARLINE, QUICK
from workers.schedules import schedule

ROOT = Path(__file__).resolve().parents[2]


def asked_for():
    """Returns every task name in a `task_names.py` of any package."""
    names = []
    for path in ROOT.glob("*/**/task_names.py"):
        if ".venv" not in path.parts:
            module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            names += [value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)]
    return names


def implemented():
    for module in app.conf.imports:
        import_module(module)
    return [name for name in app.tasks if not name.startswith("celery.")]


class TestNames:
    def test_each_is_asked_for_in_one_place_and_implemented_once(self):
        assert sorted(asked_for()) == sorted(implemented())
        assert len(asked_for()) == len(set(asked_for()))

    def test_every_module_of_tasks_is_loaded_by_workers(self):
        modules = {f"workers.tasks.{path.stem}" for path in (ROOT / "workers/tasks").glob("[a-z]*.py")}

        assert set(app.conf.imports) == modules

    def test_beat_asks_only_for_tasks_that_exist(self):
        assert {entry["task"] for entry in schedule().values()} <= set(implemented())

    @pytest.mark.parametrize("entry", schedule().values(), ids=schedule().keys())
    def test_beats_messages_expire_before_the_next_turn(self, entry):
        every = entry["schedule"]
        pause = every if isinstance(every, float) else 3600
        # A heartbeat counts also if it is late: a queue with a little backlog is consumed.
        assert entry["options"]["expires"] <= pause * (3 if entry["task"] == HEARTBEAT else 1)


class TestDelivery:
    @pytest.mark.parametrize(
        ("task", "queue"),
        [("build.train", BUILD), ("build.resume", QUICK), ("nearline.rescore", NEARLINE), ("other.thing", DEFAULT)],
    )
    def test_a_message_goes_to_the_queue_of_its_kind_and_to_no_other(self, db, redis_server, task, queue):
        app.send_task(task, kwargs={})

        assert {name: redis_server.llen(name) for name in QUEUES} == {name: int(name == queue) for name in QUEUES}

    def test_threads_of_a_web_process_reach_the_same_broker(self, db, redis_server):
        """Celery keeps the current application by thread; without a default one, a thread asks a broker of its own."""
        thread = threading.Thread(target=_enqueue)
        thread.start()
        thread.join()

        assert sent("build.train") == [{"tenant_id": 1, "build_id": 2}]


def _enqueue():

    enqueue("build.train", tenant_id=1, build_id=2)
    connection.close()


class TestLimits:
    def test_a_task_ends_before_the_broker_hands_it_out_again(self):
        assert app.conf.task_soft_time_limit < app.conf.task_time_limit
        assert app.conf.task_time_limit < redis.broker_options(worker=True)["visibility_timeout"]
        assert app.conf.task_time_limit > settings.BUILD_LEASE_SECONDS

    def test_a_task_is_acknowledged_only_when_it_has_ended(self):
        assert app.conf.task_acks_late
        assert app.conf.task_reject_on_worker_lost
        assert app.conf.worker_prefetch_multiplier == 1


@pytest.mark.slow
def test_a_web_process_loads_neither_numpy_nor_the_vendors_sdk():
    code = (
        "import django; django.setup(); import workers.celery, recommendations.pipeline.builds.schedule; import sys;"
        "heavy = ('numpy', 'scipy', 'lightgbm', 'openai', 'workers.tasks.builds');"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


class TestRequestId:
    def test_of_a_task_without_a_request_is_its_own_and_goes_on_to_what_it_starts(self, committed_db, redis_server):
        request = SimpleNamespace(headers={}, id="task-1", eta=None)
        assert messages.request_id(request) == "task-1"
        with structlog.contextvars.bound_contextvars(request_id="task-1"):
            app.send_task("nearline.sweep")
        (message,) = [json.loads(each) for each in redis_server.lrange(QUICK, 0, -1)]

        headers = message["headers"]
        assert (headers["request_id"], headers["task"]) == ("task-1", "nearline.sweep")
        waited = messages.seconds_waited(SimpleNamespace(headers=headers, id="task-2", eta=None))
        assert waited is not None
        assert waited < 60

    def test_waiting_begins_when_a_task_is_due(self):
        sent = time.time() - 100
        due = datetime.fromtimestamp(sent + 60, UTC).isoformat()

        assert messages.seconds_waited(SimpleNamespace(headers={"sent_at": sent}, eta=due)) == pytest.approx(40, abs=5)
        assert messages.seconds_waited(SimpleNamespace(headers={"sent_at": sent + 999}, eta=None)) == 0
        assert messages.seconds_waited(SimpleNamespace(headers=None, eta=None)) is None
