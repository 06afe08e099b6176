"""docker-compose.yml: what each service may do, reach and know."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.queues import HEAVY, QUEUES
from workers.queues import WORKERS as LAYOUT

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = {f"worker-{worker.name}" for worker in LAYOUT}


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_is_bounded(self, name):
        service = SERVICES[name]

        assert service["mem_limit"]
        assert service["cpus"]
        assert service["pids_limit"]
        assert service["logging"]["options"]["max-size"]

    def test_has_no_rights_that_it_does_not_need(self, name):
        service = SERVICES[name]

        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert not service.get("privileged")
        assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}

    def test_takes_its_image_from_a_variable_that_a_digest_fits_in(self, name):
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z/]+:[a-z0-9.-]+\}", SERVICES[name]["image"])

    def test_publishes_nothing_beyond_this_host(self, name):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


class TestNetworks:
    def test_only_workers_reach_the_internet(self):
        outside = {
            name
            for name, service in SERVICES.items()
            for network in service["networks"]
            if not _is_closed(COMPOSE["networks"][network] or {})
        }

        assert outside == WORKERS

    def test_servers_are_reached_from_inside_only(self):
        assert SERVICES["postgres"]["networks"] == SERVICES["valkey"]["networks"] == ["backend"]
        assert COMPOSE["networks"]["backend"]["internal"] is True


class TestSecrets:
    def test_only_workers_know_the_provider_s_key(self):
        assert {name for name, service in SERVICES.items() if "openai_api_key" in service["secrets"]} == WORKERS
        named = {name for name, service in SERVICES.items() if "OPENAI_API_KEY_FILE" in service.get("environment", {})}
        assert named == WORKERS

    def test_only_migrate_knows_the_owner(self):
        assert {name for name, service in SERVICES.items() if "database_owner_url" in service["secrets"]} == {"migrate"}

    @pytest.mark.parametrize("name", ["web", *sorted(WORKERS), "beat", "migrate"])
    def test_every_secret_is_read_and_every_file_that_is_named_is_there(self, name):
        service = SERVICES[name]
        files = {
            str(value).removeprefix("/run/secrets/")
            for variable, value in service["environment"].items()
            if variable.endswith("_FILE") and str(value).startswith("/run/secrets/")
        }

        assert files == set(service["secrets"]) - {"openai_api_key"}


class TestWorkers:
    @pytest.mark.parametrize("worker", LAYOUT, ids=lambda worker: worker.name)
    def test_take_the_queues_of_the_usual_layout(self, worker):
        service = SERVICES[f"worker-{worker.name}"]

        assert f"--queues={','.join(worker.queues)}" in service["command"]
        assert re.search(
            rf"--concurrency=\$\{{[A-Z]+_CONCURRENCY:-{worker.processes}\}}$", " ".join(service["command"])
        )
        assert "cpu_shares" in service or not HEAVY.intersection(worker.queues)

    def test_leave_no_queue_untaken_and_take_none_twice(self):
        taken = [name for worker in LAYOUT for name in worker.queues]

        assert sorted(taken) == sorted(queue.name for queue in QUEUES)

    @pytest.mark.parametrize("name", [*sorted(WORKERS), "beat"])
    def test_are_probed_for_their_work_and_have_metrics_of_their_own(self, name):
        service, kind = SERVICES[name], "worker" if name in WORKERS else "beat"

        assert service["healthcheck"]["test"] == ["CMD", "python", "manage.py", "health", kind]
        assert service["environment"]["METRICS_PORT"] == "${METRICS_PORT:-9100}"
        assert ("PROMETHEUS_MULTIPROC_DIR=/tmp/docent-metrics" in service["command"]) == (kind == "worker")
        assert "ports" not in service


class TestValkey:
    def test_drops_nothing_and_stays_within_its_memory(self):
        command = SERVICES["valkey"]["command"]

        assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
        assert "--maxmemory" in command


class TestPinImages:
    def test_prints_a_line_for_each_variable_of_compose_and_dockerfile(self, tmp_path):
        run = _pinned(tmp_path, docker='printf "sha256:%064d" 7')

        used = {re.match(r"\$\{([A-Z]+_IMAGE)", service["image"])[1] for service in SERVICES.values()}  # type: ignore[index]
        wanted = (used - {"DOCENT_IMAGE"}) | {"PYTHON_IMAGE"}
        assert run.returncode == 0
        assert {line.partition("=")[0] for line in run.stdout.splitlines()} == wanted
        assert all(re.search(r"@sha256:0{63}7$", line) for line in run.stdout.splitlines())

    def test_stops_where_there_is_no_digest(self, tmp_path):
        run = _pinned(tmp_path, docker="echo nonsense")

        assert (run.returncode, run.stdout) == (1, "")


def _pinned(folder: Path, *, docker: str) -> subprocess.CompletedProcess[str]:
    """The script's run with a `docker` that does this."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{docker}\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    script = ROOT / "config" / "pin-images.sh"
    return subprocess.run([script], env=environment, capture_output=True, text=True, check=False)


def _is_closed(network: dict[str, Any]) -> bool:
    masquerade = network.get("driver_opts", {}).get("com.docker.network.bridge.enable_ip_masquerade")
    return bool(network.get("internal")) or masquerade == "false"
