"""`manage.py build`."""

import io
import re
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.tenancy import scope
from recommendations.management.commands import build as command
from recommendations.models import Build
from recommendations.pipeline.builds import publish, score, train
from recommendations.pipeline.task_names import TRAIN
from tests.recommendations.pipeline.conftest import COLD, PEOPLE
from tests.recommendations.pipeline.queue import sent


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("build", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_starts_a_build_and_leaves_it_to_the_workers(acme):
    out, _ = run("--tenant", "acme")

    assert re.fullmatch(r"Build #\d+ of acme started\.\n", out)
    assert len(sent(TRAIN)) == 1


def test_says_that_there_is_no_such_tenant(acme):
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        run("--tenant", "nobody")


def test_says_that_one_runs_already(acme):
    run("--tenant", "acme")

    with pytest.raises(CommandError, match="is running"):
        run("--tenant", "acme")


@pytest.mark.slow
def test_waits_for_one_that_runs_already_and_starts_then(acme):
    run("--tenant", "acme")

    def work(after):
        while len(messages := sent(TRAIN)) <= after:
            pass
        train.train_step(**messages[after])
        while score.score_chunk(**messages[after]):
            pass
        publish.publish_step(**messages[after])

    def both():
        work(0)
        work(1)
        connection.close()

    worker = threading.Thread(target=both)
    worker.start()
    out, _ = run("--tenant", "acme", "--wait", "--no-ai")
    worker.join()

    assert re.search(r"Build #\d+ \(command\) is running; this one starts when it has ended\.", out)
    assert re.search(r"Build #\d+ of acme started\.", out)
    assert "Published" in out


def test_says_that_no_worker_takes_it(acme, monkeypatch):
    monkeypatch.setattr(command, "NO_WORKER_AFTER_SECONDS", 0.3)

    with pytest.raises(CommandError, match=r"No worker has started build #\d+"):
        run("--tenant", "acme", "--wait")


def test_waits_and_tells_what_came_of_it(acme):
    def work():
        while not (messages := sent(TRAIN)):
            pass
        train.train_step(**messages[0])
        while score.score_chunk(**messages[0]):
            pass
        publish.publish_step(**messages[0])
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    out, err = run("--tenant", "acme", "--wait", "--no-ai")
    worker.join()

    assert f"Published lists of {PEOPLE + COLD} users ({PEOPLE} model, {COLD} popular)" in out
    assert f"Validation fold: last: each user's last events; {PEOPLE} validation users." in out
    assert "published            [########################################] 3/3" in err


def test_says_why_a_build_failed(committed_db, cast):
    def work():
        while not (messages := sent(TRAIN)):
            pass
        train.train_step(**messages[0])
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    with pytest.raises(CommandError, match="failed: there are no interactions"):
        run("--tenant", "globex", "--wait")
    worker.join()


def test_one_build_may_be_judged_otherwise(acme):
    run("--tenant", "acme", "--validation", "random")

    with scope.tenant(acme.pk):
        assert Build.objects.get().validation == "random"


def test_no_ai_means_no_call(acme, settings):
    settings.OPENAI_API_KEY, settings.OPENAI_MODEL = "test", "gpt-4.1-mini"

    run("--tenant", "acme", "--no-ai")

    with scope.tenant(acme.pk):
        assert Build.objects.get().ai_calls_limit == 0
