"""Each expression of the dashboards, asked of a real Prometheus that has scraped a service at work: none is empty."""

import shutil
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from prometheus_client import CollectorRegistry, multiprocess, start_http_server

from config.devservers.ports import LOOPBACK
from core.queue import enqueue
from core.slo.dashboards import RATE, families_of, load_dashboards
from core.slo.objectives import load_objectives
from recommendations.ai.task_names import TIDY
from tests.core import prometheus, web_process
from tests.recommendations.pipeline.generated import fill
from tests.workers.processes import beat, worker
from tests.workers.synthetic.test_runner import made
from workers.synthetic import exporter
from workers.synthetic.outcomes import History
from workers.synthetic.runner import Target, run_round

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]
ROOT = Path(settings.BASE_DIR)
DASHBOARDS = load_dashboards(ROOT / "config/dashboards.toml", load_objectives(ROOT / "config/slo.toml"))
# These have series after a fault only; their panels show zero until then.
AFTER_A_FAULT = {
    "ai_fallback_total",
    "docent_database_refused_total",
    "docent_enqueue_failures_total",
    "docent_impressions_dropped_total",
    "docent_redis_errors_total",
}
EMPTY_SECONDS = 150.0


@contextmanager
def scrapable(folder):
    """The metrics of a worker's processes, which share the folder; yields a port."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(folder))
    server, thread = start_http_server(0, addr=LOOPBACK, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Traffic:
    """Requests of a customer and synthetic checks, again and again."""

    def __init__(self, web, token, target, history):
        self.web, self.token, self.target, self.history = web, token, target, history

    def go_on(self, number):
        """One round of everything that the panels show."""
        self.history.add(run_round(self.target))
        for user in range(5):
            self.web.ask("GET", f"/api/v1/users/u{user:04d}/recommendations", token=self.token)
            self.web.ask("GET", "/.well-known/jwks.json")
        self.web.ask("GET", f"/api/v1/items/i{number % 60:04d}/similar", token=self.token)
        self.web.ask("GET", "/api/v1/recommendations/popular", token=self.token)
        enqueue(TIDY)


def empty(server):
    """Expressions without a series, and families that Prometheus does not know."""
    expressions = [expr.replace(RATE, "[2m]") for each in DASHBOARDS for expr in each.expressions]
    families = {name for expr in expressions for name in families_of(expr)} - AFTER_A_FAULT
    known = set(server.get("label/__name__/values"))
    suffixes = ("", "_bucket", "_count", "_sum")
    lacking = {name for name in families if not known & {name + suffix for suffix in suffixes}}
    return [expr for expr in expressions if not server.query(expr)], lacking


def test_no_panel_is_empty_after_traffic(tmp_path, committed_db, cast, openai_server):
    ai = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": openai_server.base_url, "AI_SIMULATED": "1"}
    folder = tmp_path / "worker"
    folder.mkdir()
    fill(cast.acme.tenant, people=40, items=60)
    with ExitStack() as stack:
        stack.enter_context(worker(**ai, PROMETHEUS_MULTIPROC_DIR=str(folder)))
        stack.enter_context(beat(**ai))
        web = stack.enter_context(web_process.serving(tmp_path, METRICS_PUBLIC="1", PUBLIC_RATE="6/m"))
        target = Target(region="eu-1", base_url=f"http://{LOOPBACK}:{web.port}", check_seconds=30.0, **made())
        history = History("eu-1", started_at=time.time())
        runner = stack.enter_context(exporter.serving(history, host=LOOPBACK, port=0))
        jobs = {"docent-web": [web.port, stack.enter_context(scrapable(folder))], "docent-synthetic": [runner]}
        server = stack.enter_context(prometheus.scraping(tmp_path / "monitoring", jobs, seconds=4))
        call_command("build", tenant=cast.acme.tenant.slug, wait=True)
        traffic, began, number = Traffic(web, cast.acme.admin.token, target, history), time.monotonic(), 0
        while any(empty(server)) and time.monotonic() - began < EMPTY_SECONDS:
            traffic.go_on(number := number + 1)
            time.sleep(2.0)

        assert empty(server) == ([], set())
