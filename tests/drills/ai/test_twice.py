"""610 people, AI for all of them, built twice in a row: nobody whose data did not change is paid for again.

That it can fail shows the long form's third build: two people changed, and two are paid for. (In the short form
`tests/recommendations/pipeline/llm/test_rerank.py` shows it, with fewer people.)
"""

import pytest

from accounts.tenancy import scope
from recommendations.ai.models import AIBudget, AICall
from recommendations.models import EndUser
from recommendations.pipeline.llm import rerank
from tests.drills import movielens
from tests.drills.ai import services
from tests.recommendations.pipeline.generated import build_now, fill, lists_of, stored
from tests.size import LONG

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(600),
]
CHANGED = ("7", "42")


@pytest.fixture
def provider(settings):
    with services.simulator() as control:
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "drill", control.base_url
        settings.AI_SIMULATED, settings.AI_CALLS_PER_BUILD = True, 10**6
        settings.AI_GATE_SEGMENTS = ["cold", "sparse", "regular", "heavy"]
        rerank.gateway.cache_clear()
        yield control
        rerank.gateway().close()
        rerank.gateway.cache_clear()


def load(tenant):
    """MovieLens, or in the short form as many people who are quicker to learn from."""
    if LONG:
        return movielens.load(tenant)
    fill(tenant, people=610, items=120)
    return 610


def entries(tenant, build):
    return {name: stored(row).entries() for name, row in lists_of(tenant, build).items()}


def spent(tenant):
    with scope.tenant(tenant.pk):
        return AIBudget.objects.get(period="month").spent_nano_usd


def test_the_second_build_pays_for_nobody_who_did_not_change(cast, provider):
    acme = cast.acme.tenant
    people = load(acme)
    first = build_now(acme, ai=True)
    paid, asked = spent(acme), provider.calls()

    second = build_now(acme, ai=True)

    assert people == first.outcomes["lists"]["ai"] == second.outcomes["lists"]["ai"] == asked == 610
    assert provider.calls() == asked
    assert spent(acme) == paid > 0
    assert entries(acme, first) == entries(acme, second)

    if not LONG:
        return
    with scope.tenant(acme.pk):
        EndUser.objects.filter(user_id__in=CHANGED).update(locale="de")
    build_now(acme, ai=True)
    assert provider.calls() == asked + len(CHANGED)
    with scope.tenant(acme.pk):
        assert AICall.objects.count() == asked + len(CHANGED)
