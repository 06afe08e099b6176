"""Cached answers are not paid for twice, and are dropped when they must be."""

import pytest

from accounts.tenancy import scope
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIAnswer
from recommendations.ai.protocol import Usage
from tests.recommendations.ai.asking import NOW, calls, reason, rerank
from tests.recommendations.ai.films import films


class TestStoredAnswers:
    def test_asks_the_same_only_once(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        paid, stored = rerank(gateway, tenant_id), rerank(gateway, tenant_id)

        assert stored.items == paid.items
        assert (paid.cached, stored.cached, stored.completion.usage) == (False, True, Usage())
        assert openai_simulator.calls() == len(calls(tenant_id)) == 1

    def test_is_there_when_the_provider_is_not(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        rerank(gateway, tenant_id)
        gateway.breaker.open()

        assert rerank(gateway, tenant_id).cached
        assert reason(gateway, tenant_id, "p-2") == "breaker"

    @pytest.mark.parametrize("other", [films("p-2"), films(size=19), films(liked="Dune"), films(locale="de")])
    def test_asks_anew_where_anything_differs(self, make_gateway, tenant_id, openai_simulator, other):
        gateway = make_gateway()
        rerank(gateway, tenant_id)

        assert not gateway.rerank(tenant_id=tenant_id, request=other, now=NOW, deadline_seconds=5).cached

    def test_belongs_to_a_model_and_an_origin(self, make_gateway, tenant_id, openai_simulator):
        rerank(make_gateway(), tenant_id)

        assert not rerank(make_gateway(model="gpt-4.1-nano"), tenant_id).cached
        assert not rerank(make_gateway(simulated=False), tenant_id).cached

    def test_keeps_no_useless_answer(self, make_gateway, tenant_id, openai_simulator):
        openai_simulator.fault("hallucinated", count=1)
        gateway = make_gateway()

        assert reason(gateway, tenant_id) == "invalid"

        assert not rerank(gateway, tenant_id).cached

    def test_is_forgotten_with_the_person_and_with_time(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        for person in ("p-1", "p-2"):
            rerank(gateway, tenant_id, person)

        assert response_cache.delete_for_user(tenant_id=tenant_id, user_key="p-1") == 1
        assert response_cache.purge(now=NOW.replace(month=12), keep_days=29) == 1
        with scope.tenant(tenant_id):
            assert not AIAnswer.objects.exists()
