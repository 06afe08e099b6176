"""Outcomes in the service: totals for Prometheus, rows for the admin, and the collection from runners."""

import time
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import SyntheticOutcome, Tenant, TenantUsage, User
from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK, free_port
from core import clock
from workers import schedules
from workers.synthetic import collection, exporter, storage, task_names
from workers.synthetic.outcomes import History, Outcome, exposition

STARTED = 1_796_000_000.25


@pytest.fixture
def tenant(cast):
    with scope.all_tenants("test"):
        Tenant.objects.filter(pk=cast.globex.tenant.pk).update(synthetic=True)
    return cast.globex.tenant


def outcome(number=0, *, region="eu-1", check="journey", error=""):
    return Outcome(region, check, STARTED + number, 0.5, error)


def stored():
    with scope.all_tenants("test"):
        rows = SyntheticOutcome.objects.order_by("started_at", "region")
        return list(rows.values_list("region", "check_name", "ok", "error"))


def samples(text):
    names = ("region", "check", "outcome")
    return {
        (sample.name, *(sample.labels[name] for name in names if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


class TestHistory:
    def test_counts_by_check_and_outcome_from_zero_on(self):
        history = History("eu-1", started_at=STARTED)
        assert samples(exposition(history.totals()))["docent_synthetic_checks_total", "eu-1", "refresh", "failure"] == 0

        history.add([outcome(1), outcome(2), outcome(3, error="no")])

        found = samples(exposition(history.totals()))
        assert found["docent_synthetic_checks_total", "eu-1", "journey", "success"] == 2
        assert found["docent_synthetic_checks_total", "eu-1", "journey", "failure"] == 1
        assert found["docent_synthetic_check_duration_seconds", "eu-1", "journey"] == 0.5
        assert found["docent_synthetic_last_run_timestamp_seconds", "eu-1"] == STARTED + 3


class TestMetrics:
    def test_are_those_of_the_configured_region_and_survive_the_worker(self, redis_server, settings):
        storage.count([outcome(), outcome(1, error="no")])
        storage.count([outcome(2), outcome(3, region="us-1")])
        assert storage.metrics() == b""
        settings.SYNTHETIC_REGION = "eu-1"

        found = samples(storage.metrics())
        assert found["docent_synthetic_checks_total", "eu-1", "journey", "success"] == 2
        assert found["docent_synthetic_checks_total", "eu-1", "journey", "failure"] == 1
        assert found["docent_synthetic_last_run_timestamp_seconds", "eu-1"] == STARTED + 2
        assert not [labels for labels in found if "us-1" in labels]


class TestCollection:
    def test_stores_the_outcomes_of_each_runner_once(self, tenant, settings, monkeypatch):
        now, history = clock.now(), History("us-1", started_at=STARTED)
        began = now.timestamp() - 60
        history.add([Outcome("us-1", "refresh", began, 0.1), Outcome("us-1", "journey", began + 1, 2.0, "404")])
        with exporter.serving(history, host=LOOPBACK, port=0) as port:
            settings.SYNTHETIC_RUNNERS = [f"http://{LOOPBACK}:{free_port()}", f"http://{LOOPBACK}:{port}"]
            for _ in range(2):
                collection.collect_all(now=now)

        assert stored() == [("us-1", "refresh", True, ""), ("us-1", "journey", False, "404")]

    def test_outcomes_past_their_days_go(self, tenant, settings):
        storage.keep([outcome(), outcome(86_400)])

        storage.purge(now=clock.now().fromtimestamp(STARTED + 3600, tz=clock.now().tzinfo) + timedelta(days=14))
        assert len(stored()) == 1

    def test_without_a_synthetic_tenant_nothing_is_stored(self, cast):
        storage.keep([outcome()])

        assert stored() == []


class TestSchedule:
    def test_beat_runs_the_checks_of_a_configured_region_only(self, settings):
        assert task_names.RUN not in {entry["task"] for entry in schedules.schedule().values()}
        settings.SYNTHETIC_REGION = "eu-1"

        entries = {entry["task"]: entry for entry in schedules.schedule().values()}
        assert entries[task_names.RUN]["schedule"] == settings.SYNTHETIC_SECONDS
        assert task_names.COLLECT in entries

    def test_a_round_of_beat_is_counted_and_stored(self, tenant, settings):
        settings.SYNTHETIC_REGION, settings.SYNTHETIC_BASE_URL = "eu-1", f"http://{LOOPBACK}:{free_port()}"
        settings.SYNTHETIC_CLIENT_ID = settings.SYNTHETIC_CLIENT_SECRET = "x"
        began = time.time()

        collection.run_here()

        assert [row[:3] for row in stored()].count(("eu-1", "journey", False)) == 1
        found = samples(storage.metrics())
        assert found["docent_synthetic_checks_total", "eu-1", "journey", "failure"] == 1
        assert found["docent_synthetic_last_run_timestamp_seconds", "eu-1"] >= began


class TestAdmin:
    def test_shows_outcomes_and_leaves_the_tenant_out_of_billing(self, tenant, cast, client):
        storage.keep([outcome(error="the step that failed")])
        with scope.all_tenants("test"):
            for each in (tenant, cast.acme.tenant):
                TenantUsage.objects.create(tenant=each, month="2026-11", used=7)
        client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))

        assert b"the step that failed" in client.get("/admin/accounts/syntheticoutcome/").content
        assert client.get("/admin/accounts/syntheticoutcome/add/").status_code == 403
        page = client.get("/admin/accounts/tenantusage/").content.decode()
        assert page.count('class="field-used"') == 1

    def test_a_customer_s_staff_sees_none(self, tenant, cast, client):
        storage.keep([outcome(error="the step that failed")])
        staff = User.objects.create(username="own", is_staff=True, is_superuser=True, tenant=cast.acme.tenant)
        client.force_login(staff)

        assert b"the step that failed" not in client.get("/admin/accounts/syntheticoutcome/").content
