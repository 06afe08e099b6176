"""The whole pipeline against an OpenAI-compatible server that is not ours: LiteLLM's proxy.

Once with a mocked answer of the proxy's own, once through it to the simulator, so that structured output passes a
foreign server both ways. `make litellm` installs it; without it the drill is skipped.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK, free_port
from core import clock
from recommendations.ai.budget import ledger
from recommendations.ai.models import AICall
from recommendations.pipeline.llm import rerank
from tests.fakes.openai_server import Simulator
from tests.recommendations.pipeline.generated import build_now, fill, lists_of, stored

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / ".venv-litellm" / "bin" / "litellm"
KEY = "sk-drill-0123456789abcdef0123456789abcdef"
START_SECONDS = 180.0
PEOPLE, ITEMS, HEAD = 8, 60, 20
# The list backwards, as numbers of the shuffled candidates, and no reasons: what a fixed answer can say of any list.
MOCKED = json.dumps({"ranking": [{"c": each, "reason": "", "evidence": []} for each in reversed(range(HEAD))]})

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not PROGRAM.exists(), reason="LiteLLM is not installed: `make litellm` (750 MB) does it"),
    pytest.mark.usefixtures("committed_db"),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with Simulator(latency_seconds=0.005) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def proxy(upstream: Simulator, tmp_path_factory) -> Iterator[str]:
    """LiteLLM with two models; its base URL."""
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    through = {"model": "openai/gpt-4.1-mini", "api_base": upstream.base_url, "api_key": "k"}
    models = {"mocked": {"model": "openai/mocked", "api_key": "k", "mock_response": MOCKED}, "through": through}
    config = {
        "model_list": [{"model_name": name, "litellm_params": how} for name, how in models.items()],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    # Its own price list, instead of a download of a newer one.
    own = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    without = {"DATABASE_URL", "REDIS_URL"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "--config", "config.yaml", "--host", LOOPBACK, "--port", str(port)],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in without} | own,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, port, folder / "log")
        yield f"http://{LOOPBACK}:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with opener.open(f"http://{LOOPBACK}:{port}/health/liveliness", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)


@pytest.fixture
def asks(proxy, settings) -> Iterator[None]:
    settings.OPENAI_API_KEY = KEY
    settings.OPENAI_BASE_URL = proxy
    settings.AI_SIMULATED = True
    settings.AI_PRICE_INPUT_USD, settings.AI_PRICE_OUTPUT_USD = "0.4", "1.6"
    rerank.gateway.cache_clear()
    yield
    rerank.gateway().close()
    rerank.gateway.cache_clear()


def calls(tenant) -> list[AICall]:
    with scope.tenant(tenant.pk):
        return list(AICall.objects.order_by("pk"))


def test_a_mocked_answer_makes_every_list(cast, asks, settings):
    settings.OPENAI_MODEL = "mocked"
    acme = cast.acme.tenant
    fill(acme, people=PEOPLE, items=ITEMS)
    plain = lists_of(acme, build_now(acme))

    build = build_now(acme, ai=True)

    assert build.outcomes["lists"] == {"ai": PEOPLE}
    assert [each.outcome for each in calls(acme)] == ["ok"] * PEOPLE
    assert all(each.usage_reported and each.cost_nano_usd > 0 for each in calls(acme))
    assert ledger.reconcile(since=clock.now().date().replace(day=1)) == []
    moved = 0
    for name, row in lists_of(acme, build).items():
        before = [entry["item_id"] for entry in stored(plain[name]).entries()]
        after = [entry["item_id"] for entry in stored(row).entries()]
        assert sorted(after[:HEAD]) == sorted(before[:HEAD])
        assert after[HEAD:] == before[HEAD:]
        assert all(entry["reason"] for entry in stored(row).entries())
        moved += after != before
    assert moved > PEOPLE / 2


def test_structured_output_passes_through_it(cast, asks, settings, upstream):
    settings.OPENAI_MODEL = "through"
    acme = cast.acme.tenant
    fill(acme, people=PEOPLE, items=ITEMS)
    upstream.reset()

    build = build_now(acme, ai=True)

    assert build.outcomes["lists"] == {"ai": PEOPLE}
    bodies = [each["body"] for each in upstream.state()["seen"]]
    assert len(bodies) == PEOPLE
    assert all(each["response_format"]["json_schema"]["strict"] for each in bodies)
    assert all(each["max_completion_tokens"] > 0 for each in bodies)
    assert all(each.usage_reported for each in calls(acme))
    parts = [part for row in lists_of(acme, build).values() for part in stored(row).parts[:HEAD]]
    assert sum(part.endswith(":ai") for part in parts) > len(parts) / 2
