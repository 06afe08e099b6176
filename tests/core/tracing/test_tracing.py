"""Traces from a request to SQL, Redis, Celery and the AI provider, and error reports, as a collector receives them."""

import secrets
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.tenancy import scope
from core import tracing
from core.tracing import start
from recommendations.models import Interaction
from tests.core import web_process
from tests.fakes import collectors
from tests.recommendations.pipeline.generated import fill
from tests.workers.processes import worker


class TestOff:
    def test_nothing_is_recorded_and_nothing_is_imported(self):
        script = (
            "import django; django.setup(); import sys, workers.celery, recommendations.api.hot_reads;"
            "print([name for name in sys.modules if name.startswith(('core.tracing.', 'sentry_sdk'))])"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

        assert done.stdout.strip() == "['core.tracing.start']", done.stderr
        headers: dict[str, str] = {}
        with tracing.span("a", {}):
            tracing.inject(headers)
            tracing.name_request("GET", "a", 200)
        tracing.report(ValueError())
        tracing.flush()
        assert (headers, tracing.enabled(), tracing.carried(len)) == ({}, False, len)

    @pytest.mark.parametrize(
        ("name", "module"), [("TRACING_ENDPOINT", "opentelemetry_sdk"), ("SENTRY_DSN", "sentry")], ids=str.lower
    )
    def test_without_the_packages_the_start_says_what_to_install(self, settings, monkeypatch, name, module):
        monkeypatch.setitem(sys.modules, f"core.tracing.{module}", None)
        setattr(settings, name, "http://public@127.0.0.1:1/1")

        with pytest.raises(ImproperlyConfigured, match=f"{name} is set.*requirements-tracing.txt"):
            start.from_settings()


class TestStatements:
    @pytest.mark.parametrize(
        ("statement", "shown"),
        [
            ("SELECT a FROM b WHERE c = %s", "SELECT a FROM b WHERE c = %s"),
            ("SELECT 'it''s me', 42 WHERE x1 > 3.5", "SELECT ?, ? WHERE x1 > ?"),
        ],
    )
    def test_are_shown_without_literals(self, statement, shown):
        assert start.without_literals(statement) == shown


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not (collectors.PACKAGES / "done").exists(), reason="`make tracing` installs the packages")
class TestOn:
    def test_a_request_is_followed_into_servers_and_worker(self, tmp_path, committed_db, cast, openai_simulator):
        fill(cast.acme.tenant, people=12, items=20, events_each=6)
        with scope.tenant(cast.acme.tenant.pk):
            first = {"BUILD_FIRST_EVENTS": str(Interaction.objects.count() + 1)}
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        sent = {"traceparent": f"00-{trace}-{parent}-01", "Content_Type": "application/json"}
        event = b'{"user_id": "u-of-a-customer", "item_id": "i0001", "type": "view"}'
        with collectors.collecting() as collected:
            ai = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": openai_simulator.base_url, "AI_SIMULATED": "1"}
            with (
                worker(**collected.environment, **ai, **first),
                web_process.serving(tmp_path, **collected.environment, **first) as web,
            ):
                answer = web.ask("POST", "/api/v1/events", token=cast.acme.admin.token, body=event, **sent)
                assert answer.status == 201, answer.body
                server = collected.named("POST events", trace=trace)
                sent_task = collected.named("enqueue build.plan_first", trace=trace)
                task = collected.named("task build.plan_first", trace=trace)
                collected.named("openai", trace=trace, seconds=90)
                sql, limiter = collected.named("sql INSERT", trace=trace), collected.named("redis limiter", trace=trace)

        assert (server.parent, server.attributes["http.response.status_code"]) == (parent, 201)
        assert server.attributes["http.route"] == "events"
        assert (sent_task.parent, task.parent) == (server.id, sent_task.id)
        assert limiter.parent == server.id
        assert sql.attributes["db.system.name"] == "postgresql"
        assert collected.credentials == {"Bearer collector-token"}
        assert not any(b"u-of-a-customer" in raw or cast.acme.admin.token.encode() in raw for raw in collected.raw)

    def test_an_error_is_reported_without_personal_data(self, tmp_path, committed_db, cast):
        with collectors.collecting() as collected:
            options = {**collected.environment, "TRACING_SHARE": "0"}
            application = "tests.core.tracing.failing_application:application"
            with web_process.serving(tmp_path, application, **options) as web:
                answer = web.ask(
                    "GET", "/fails/anne?q=s3cret", token=cast.acme.admin.token, X_Request_ID="request-0001"
                )

        assert answer.status == 500
        (report,) = collected.reports
        (error,) = report["exception"]["values"]
        assert (error["type"], error["value"], report["tags"]["request_id"]) == (
            "LookupError",
            "the first line",
            "request-0001",
        )
        assert error["stacktrace"]["frames"]
        text = str(report)
        assert not [each for each in ("anne", "s3cret", "enna", cast.acme.admin.token) if each in text]
        assert collected.spans == []
