"""A real Prometheus over the rules of the repository, and what it says."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from config.devservers.ports import LOOPBACK, free_port

CONFIG = Path(settings.BASE_DIR) / "config"


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    port: int

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://{LOOPBACK}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from error

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that the expression has now."""
        found: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return found

    def firing(self) -> set[tuple[str, str]]:
        """The names and regions of the firing alerts."""
        alerts = self.get("alerts")["alerts"]
        return {
            (each["labels"]["alertname"], each["labels"].get("region", ""))
            for each in alerts
            if each["state"] == "firing"
        }


@contextmanager
def scraping(folder: Path, jobs: Mapping[str, list[int]], *, seconds: int = 2) -> Iterator[Prometheus]:
    """The server with the repository's configuration, which scrapes ports by job and evaluates each few seconds."""
    shutil.copytree(CONFIG / "prometheus", folder / "prometheus")
    config = yaml.safe_load((folder / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": f"{seconds}s", "evaluation_interval": f"{seconds}s"}
    del config["alerting"]
    known = {each["job_name"]: each for each in config["scrape_configs"]}
    config["scrape_configs"] = [
        {
            "job_name": job,
            "metrics_path": known[job]["metrics_path"],
            "static_configs": [{"targets": [f"{LOOPBACK}:{port}" for port in ports]}],
        }
        for job, ports in jobs.items()
    ]
    for path in (folder / "prometheus").glob("*.rules.yml"):
        path.write_text(re.sub(r"interval: \d+s", f"interval: {seconds}s", path.read_text()))
    (folder / "prometheus/prometheus.yml").write_text(yaml.safe_dump(config))
    server = Prometheus(free_port())
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address={LOOPBACK}:{server.port}"],
            cwd=folder / "prometheus",
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(server, process, folder / "prometheus.log")
        yield server
    finally:
        process.kill()
        process.wait(10)


def _wait_until_ready(server: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        with suppress(OSError, AssertionError):
            server.query("vector(1)")
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
