"""Three regions check the service through links of different lengths; one link is cut, and only its alert fires."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from config.devservers.ports import free_port
from tests.core import delaying_proxy, prometheus, web_process
from tests.workers.processes import beat, worker
from tests.workers.synthetic.test_runner import made

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]
ROOT = Path(settings.BASE_DIR)
# Each way, of each packet.
DELAYS = {"eu-1": 0.001, "us-1": 0.03, "ap-1": 0.09}
BROKEN = "us-1"
ALERT_SECONDS = 180.0
INTERVAL, CHECK_SECONDS = "5", "20"


class Regions:
    """A runner in each region, as a process, with the proxy that it calls through."""

    def __init__(self, stack, folder, web_port, credentials):
        self.proxies, self.metrics, self.logs = {}, {}, {}
        environment = {f"SYNTHETIC_{name.upper()}": value for name, value in credentials.items()}
        for region, delay in DELAYS.items():
            proxy = stack.enter_context(delaying_proxy.in_front_of(web_port, delay_seconds=delay))
            self.proxies[region], self.metrics[region] = proxy, free_port()
            self.logs[region] = folder / f"{region}.log"
            self._start(stack, region, environment)

    def _start(self, stack, region, environment):
        log = stack.enter_context(self.logs[region].open("wb"))
        url = f"http://127.0.0.1:{self.proxies[region].port}"
        arguments = ["--region", region, "--base-url", url, "--interval", INTERVAL, "--check-seconds", CHECK_SECONDS]
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.synthetic", *arguments, "--metrics-port", str(self.metrics[region])],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)

    def said(self):
        """The last lines of each runner."""
        return {region: log.read_text().splitlines()[-8:] for region, log in self.logs.items()}


def wait_for(holds, seconds, said):
    """The seconds until it held."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, said()
        time.sleep(1.0)
    return time.monotonic() - began


def test_a_region_that_is_cut_off_alerts_alone(tmp_path, cast):
    variables = {"METRICS_PUBLIC": "1", "TOKEN_RATE": "600/m"}
    with ExitStack() as stack:
        stack.enter_context(worker())
        stack.enter_context(beat())
        web = stack.enter_context(web_process.serving(tmp_path, **variables))
        regions = Regions(stack, tmp_path, web.port, made())
        jobs = {"docent-web": [web.port], "docent-synthetic": list(regions.metrics.values())}
        server = stack.enter_context(prometheus.scraping(tmp_path / "monitoring", jobs))

        healthy = (
            'count(min by (region) (increase(docent_synthetic_checks_total{outcome="success"}[1m])) > 0)'
            ' unless (sum(increase(docent_synthetic_checks_total{outcome="failure"}[1m])) > 0)'
        )
        wait_for(lambda: [row["value"][1] for row in server.query(healthy)] == ["3"], 300, regions.said)
        assert not server.firing() & {("SyntheticFailures", region) for region in DELAYS}, regions.said()
        regions.proxies[BROKEN].cut.set()

        seconds = wait_for(lambda: ("SyntheticFailures", BROKEN) in server.firing(), ALERT_SECONDS, regions.said)
        print(f"{BROKEN} alerted {seconds:.0f} s after it was cut off")
        alerts = {each for each in server.firing() if each[0].startswith("Synthetic") or each[0] == "TokenReplays"}
        assert alerts == {("SyntheticFailures", BROKEN)}, regions.said()
        regions.proxies[BROKEN].cut.clear()
        wait_for(lambda: ("SyntheticFailures", BROKEN) not in server.firing(), 240, regions.said)
