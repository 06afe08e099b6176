"""The built-in series and a real Prometheus say of a real server's requests what their client saw.

Two servers after another at one address, two processes each: the second is a restart. The time of an answer is set by
the request, so that a busy machine makes little difference.
"""

import contextlib
import json
import math
import random
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from config.devservers.ports import LOOPBACK, free_port
from core import clock
from core.series import store
from core.slo.objectives import load_objectives
from core.slo.prometheus import RESOLUTION
from core.slo.sources import MINUTE
from tests.core import web_process
from tests.traffic import Request, availability, p95, send

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SLO = load_objectives(Path(settings.BASE_DIR) / "config/slo.toml")
# The second server counts less than the first: Prometheus's side notices a restart by a counter that fell.
PHASES, RATE, CALLERS = (12, 7), 60, 16
ERRORS_EVERY = 90
SERVER = {"DJANGO_SETTINGS_MODULE": "tests.core.slo.timed_settings", "WEB_CONCURRENCY": "2", "WEB_THREADS": "12"}


@pytest.fixture
def prometheus(tmp_path):
    """Prometheus's and a web server's port; the former scrapes the latter each second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed")
    port, web_port = free_port(), free_port()
    job = {"job_name": "docent-web", "static_configs": [{"targets": [f"{LOOPBACK}:{web_port}"]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    options = [f"--web.listen-address={LOOPBACK}:{port}", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--config.file={tmp_path}/prometheus.yml", *options], stdout=log, stderr=log
        )
        yield port, web_port
        process.kill()
        process.wait()


def requests():
    """Answers after log-normal times, one in so many an error; the same for each run."""
    drawn = random.Random(7)

    def make(number):
        milliseconds = round(min(900, 1000 * drawn.lognormvariate(math.log(0.12), 0.4)))
        status = 503 if number % ERRORS_EVERY == 1 else 200
        return Request("recommendations-popular", "GET", f"/timed/{milliseconds}/{status}")

    return make


def value(port, query):
    """The values of an instant query."""
    address = f"http://{LOOPBACK}:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10) as response:
        return [float(each["value"][1]) for each in json.load(response)["data"]["result"]]
    return []  # it is starting


def wait(condition, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.2)


def pass_a_comparison():
    """Waits until Prometheus's values have been compared once more: at multiples of RESOLUTION."""
    time.sleep(RESOLUTION - time.time() % RESOLUTION + 1.5)


def snapshot_of(folder, start, end, **options):
    call_command(
        "sli_snapshot",
        window=f"{(end - start) // MINUTE}m",
        until=datetime.fromtimestamp(end, UTC).isoformat(),
        out=folder,
        simulated=True,
        **options,
    )
    return json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8"))


def test_both_sources_agree_with_the_client_over_a_restart(cast, committed_db, tmp_path, prometheus):
    port, web_port = prometheus
    seen, make = [], requests()
    start = int(time.time()) // MINUTE * MINUTE
    for seconds in PHASES:
        folder = tmp_path / str(seconds)
        folder.mkdir()
        with web_process.serving(folder, PORT=str(web_port), METRICS_PUBLIC="1", **SERVER) as web:
            wait(lambda: value(port, 'up{job="docent-web"}') == [1.0])
            pass_a_comparison()
            seen += send(web.port, make, rate=RATE, seconds=seconds, callers=CALLERS)
            pass_a_comparison()
    store.flush(now=clock.now())
    end = (int(time.time()) // MINUTE + 1) * MINUTE
    statuses = Counter(each.status for each in seen)
    assert set(statuses) == {200, 503}

    for options in ({}, {"prometheus": f"http://{LOOPBACK}:{port}"}):
        taken = snapshot_of(tmp_path / (taken_from := "".join(options) or "built-in"), start, end, **options)
        (endpoint,) = [each for each in taken["endpoints"] if each["route"] == "recommendations-popular"]
        (objective,) = [each for each in taken["objectives"] if each["name"] == "availability"]
        assert (endpoint["requests"], endpoint["errors"]) == (len(seen), statuses[503]), taken_from
        assert objective["good_share"] == pytest.approx(availability(seen), abs=0.001), taken_from
        assert endpoint["latency"]["p95"] == pytest.approx(p95(seen), rel=0.1), taken_from
        assert taken["worst_five_minutes"] is None or taken["worst_five_minutes"]["errors"] <= statuses[503]
        assert taken["window"]["covered_minutes"] >= 1, taken_from
