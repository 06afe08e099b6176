"""A filled tenant, and an AI provider that a test can break."""

from collections.abc import Iterator
from typing import Any

import pytest

from recommendations.pipeline.llm import rerank
from tests import worlds
from tests.fakes.openai_fixture import SimulatorControl, openai_server, openai_simulator
from tests.recommendations.pipeline.generated import fill

__all__ = ["openai_server", "openai_simulator"]
PEOPLE, COLD, ITEMS = 40, 3, 60


@pytest.fixture
def acme(committed_db: None, cast: Any) -> Any:
    """A tenant with 40 people, three more without history, and 60 items. With real commits."""
    tenant = cast.acme.tenant
    worlds.begin_with("acme", lambda: fill(tenant, people=PEOPLE, items=ITEMS, cold=COLD))
    return tenant


@pytest.fixture
def globex(acme: Any, cast: Any) -> Any:
    """The other tenant, with as much. With real commits."""
    fill(cast.globex.tenant, people=PEOPLE, items=ITEMS)
    return cast.globex.tenant


@pytest.fixture
def simulated_ai(settings: Any, openai_simulator: SimulatorControl) -> Iterator[SimulatorControl]:
    """AI is on, and answered by the simulator."""
    settings.OPENAI_API_KEY = "test"
    settings.OPENAI_BASE_URL = openai_simulator.base_url
    settings.OPENAI_MODEL = "gpt-4.1-mini"
    settings.AI_SIMULATED = True
    settings.AI_TIMEOUT_SECONDS = 2.0
    rerank.gateway.cache_clear()
    yield openai_simulator
    rerank.gateway().close()
    rerank.gateway.cache_clear()
