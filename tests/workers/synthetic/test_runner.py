"""The runner: outcomes of a service that serves, of one without workers, and of one that only looks like it."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import ReplayAttempt, Tenant
from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK, free_port
from recommendations.models import Interaction
from tests.core import web_process
from tests.workers.processes import beat, worker
from tests.workers.synthetic import careless_api
from workers.synthetic.checks import CHECKS
from workers.synthetic.runner import Target, run_round

ROOT = Path(settings.BASE_DIR)


def made(**options):
    """The tenant, made by its command; returns the credentials that it printed."""
    out = io.StringIO()
    call_command("synthetic_tenant", stdout=out, **options)
    lines = dict(line.split("=", 1) for line in out.getvalue().splitlines() if line.startswith("SYNTHETIC_"))
    return {name.removeprefix("SYNTHETIC_").lower(): value for name, value in lines.items()}


def errors(outcomes):
    return {each.check: each.error for each in outcomes if each.error}


def run(*arguments, **environment):
    without = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "DATABASE", "REDIS"))
    }
    return subprocess.run(
        [sys.executable, "-m", "workers.synthetic", *arguments],
        cwd=ROOT,
        env=without | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def careless():
    with careless_api.serving() as url:
        yield Target(region="eu-1", base_url=url, client_id="a", client_secret="b", check_seconds=1.5)


class TestRunRound:
    def test_names_the_step_that_an_api_which_keeps_no_promise_fails(self, careless):
        found = errors(run_round(careless))

        assert found.pop("browser_token").endswith("/recommendations?limit=20: 200, not 403")
        assert found == {
            "journey": "the list does not reflect an event",
            "refresh": "a refresh token was not replaced",
            "idempotency": "a repeated write did not get the first answer again",
        }

    def test_an_address_where_nobody_listens_fails_each_check(self, careless):
        found = errors(run_round(replace(careless, base_url=f"http://{LOOPBACK}:{free_port()}")))

        assert found.keys() == CHECKS.keys()
        assert all("Connection refused" in error for error in found.values())

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"region": "EU 1"}, "is no region"),
            ({"base_url": "docent.example.org"}, "is not a URL"),
            ({"client_secret": ""}, "id and secret are missing"),
        ],
    )
    def test_an_unusable_target_is_refused(self, careless, changes, message):
        with pytest.raises(ValueError, match=message):
            replace(careless, **changes)


class TestCommandLine:
    def test_needs_neither_django_nor_celery(self):
        code = "import sys, workers.synthetic.__main__; print(*{name.split('.')[0] for name in sys.modules})"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

        assert {"workers", "prometheus_client"} <= set(done.stdout.split())
        assert {"django", "celery", "redis", "psycopg"} & set(done.stdout.split()) == set()

    def test_once_prints_each_outcome_and_fails_if_a_check_did(self, careless):
        options = ("--region", "eu-1", "--base-url", careless.base_url, "--once", "--check-seconds", "1")
        done = run(*options, SYNTHETIC_CLIENT_ID="a", SYNTHETIC_CLIENT_SECRET="b")

        assert done.returncode == 1, done.stderr
        assert [json.loads(line)["check"] for line in done.stdout.splitlines()] == list(CHECKS)

    def test_without_credentials_it_says_what_is_missing(self):
        done = run("--region", "eu-1", "--base-url", "http://127.0.0.1:1", "--once")

        assert (done.returncode, "id and secret are missing" in done.stderr) == (2, True)


@pytest.mark.slow
class TestAgainstTheService:
    def test_without_workers_only_the_journey_fails(self, tmp_path, committed_db, cast):
        credentials = made(no_build=True)
        with web_process.serving(tmp_path, METRICS_PUBLIC="1") as web:
            target = Target(region="eu-1", base_url=f"http://{LOOPBACK}:{web.port}", check_seconds=2.0, **credentials)
            found = errors(run_round(target))
            metrics = web.ask("GET", "/metrics").body.decode()

        assert set(found) == {"journey"}, found
        replays = {
            sample.labels["kind"]: sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
            if sample.name == "jwt_replay_prevented_total"
        }
        assert (replays["refresh"], replays["synthetic"]) == (0, 1)
        with scope.all_tenants("test"):
            assert ReplayAttempt.objects.count() == 0
            assert set(Interaction.objects.values_list("tenant__slug", flat=True)) == {"synthetic-checks"}

    def test_every_check_succeeds_where_workers_and_beat_run(self, tmp_path, committed_db, cast):
        with worker(), beat(), web_process.serving(tmp_path) as web:
            credentials = made()
            target = Target(region="eu-1", base_url=f"http://{LOOPBACK}:{web.port}", check_seconds=60.0, **credentials)
            first, second = list(run_round(target)), list(run_round(target))

        assert errors(first) == errors(second) == {}


class TestTenant:
    def test_the_command_makes_everything_once(self, committed_db, cast):
        first, again = made(no_build=True), made(no_build=True)
        renewed = made(no_build=True, new_secret=True)

        assert again == {}
        assert first["client_id"] == renewed["client_id"]
        assert first["client_secret"] != renewed["client_secret"]
        with scope.all_tenants("test"):
            assert Tenant.objects.filter(synthetic=True).count() == 1
            assert Interaction.objects.count() == 80 * 15
