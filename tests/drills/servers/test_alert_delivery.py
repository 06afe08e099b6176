"""A real alert on a real web process reaches a receiver: Prometheus scrapes, Alertmanager routes, a webhook arrives."""

import json
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from config.devservers.ports import LOOPBACK, free_port
from tests.core import web_process

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
        reason="Prometheus and Alertmanager are not installed",
    ),
]
CONFIG = Path(settings.BASE_DIR) / "config"
TOKEN = "only-for-this-test"
# BeatMissing holds for one minute; then come an evaluation, a scrape and Alertmanager's group_wait.
DELIVERED_SECONDS = 150.0


class Receiver:
    """The relay behind Alertmanager: keeps the path, the authorization and the body of each notification."""

    def __init__(self):
        kept: list[tuple[str, str | None, dict[str, Any]]] = []
        self.notifications = kept

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append((self.path, self.headers.get("Authorization"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer((LOOPBACK, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self, path):
        """The names of the firing alerts that arrived at the path."""
        return {
            alert["labels"]["alertname"]
            for at, _, body in self.notifications
            if at == path
            for alert in body["alerts"]
            if alert["status"] == "firing"
        }

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def web(tmp_path, cast):
    with web_process.serving(tmp_path, WEB_CONCURRENCY="2", METRICS_PUBLIC="0", METRICS_TOKEN=TOKEN) as running:
        yield running


def write_config(folder, *, web_port, alertmanager_port, receiver_port):
    """The templates of config/ as an operator fills them in, scraped and evaluated each two seconds."""
    shutil.copytree(CONFIG / "prometheus", folder / "prometheus")
    shutil.copytree(CONFIG / "alertmanager", folder / "alertmanager")
    for name in ("targets", "secrets"):
        (folder / "prometheus" / name).mkdir()
    (folder / "alertmanager/secrets").mkdir()
    (folder / "prometheus/secrets/metrics_token").write_text(TOKEN)
    (folder / "alertmanager/secrets/relay_token").write_text("relay")
    for name, port in (("web", web_port), ("alertmanager", alertmanager_port)):
        target = [{"targets": [f"{LOOPBACK}:{port}"]}]
        (folder / f"prometheus/targets/{name}.yml").write_text(yaml.safe_dump(target))
    prometheus = folder / "prometheus/prometheus.yml"
    prometheus.write_text(prometheus.read_text().replace("15s", "2s"))
    alertmanager = folder / "alertmanager/alertmanager.yml"
    alertmanager.write_text(alertmanager.read_text().replace("127.0.0.1:9099", f"{LOOPBACK}:{receiver_port}"))


def start(stack, folder, *command):
    """Starts the program in the folder; it is killed with the stack."""
    log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)


def test_missing_beat_pages(tmp_path_factory, web, receiver):
    folder = tmp_path_factory.mktemp("alerting")
    prometheus_port, alertmanager_port = free_port(), free_port()
    write_config(
        folder,
        web_port=web.port,
        alertmanager_port=alertmanager_port,
        receiver_port=receiver.server.server_address[1],
    )
    assert web.ask("GET", "/metrics").status == 404
    with ExitStack() as stack:
        start(
            stack,
            folder / "alertmanager",
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address={LOOPBACK}:{alertmanager_port}",
            "--cluster.listen-address=",
        )
        start(
            stack,
            folder / "prometheus",
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={LOOPBACK}:{prometheus_port}",
        )
        until = time.monotonic() + DELIVERED_SECONDS
        while "BeatMissing" not in receiver.alerts("/pages") and time.monotonic() < until:
            web.ask("GET", "/api/v1/items")  # 401: a request that is counted, so that only beat is missing
            time.sleep(1.0)

    assert {"BeatMissing", "QueueWithoutWorkers"} <= receiver.alerts("/pages")
    assert {authorization for _, authorization, _ in receiver.notifications} == {"Bearer relay"}
    (notification,) = [body for at, _, body in receiver.notifications if "BeatMissing" in str(body["groupLabels"])][:1]
    assert notification["alerts"][0]["annotations"]["runbook"] == "docs/operations/alerts.md#beatmissing"
    assert not {"NoRequestMetrics", "AvailabilityPage1h"} & (receiver.alerts("/pages") | receiver.alerts("/tickets"))
