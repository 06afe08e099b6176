"""Vectors pass the same gates, are paid for once per text, and are stored in half precision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.tenancy import scope
from recommendations.ai.budget import ledger
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.embeddings import store
from recommendations.ai.factory import build_embedder
from recommendations.ai.models import AICall, AIRelease, AISent, AIVector
from recommendations.ai.money import BudgetLimit, BudgetLimits
from recommendations.ai.providers.retry import RetryPolicy

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODEL, DIMENSIONS = "text-embedding-3-small", 32
TEXTS = {"a": "a wireless speaker", "b": "a wireless speaker", "c": "a garden chair", "d": ""}


@pytest.fixture
def embedder_with(configuration, openai_simulator, redis_server):
    made = []

    def make(**changes):
        config = replace(configuration, embedding_model=MODEL, embedding_dimensions=DIMENSIONS, **changes)
        made.append(build_embedder(config, today=NOW.date()))
        made[-1]._retries = RetryPolicy(base_seconds=0.01)
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def ask(embedder_with, tenant_id):
    def asked(texts=TEXTS, **changes):
        now = changes.pop("now", NOW)
        return store.embed_texts(
            embedder_with(**changes), tenant_id=tenant_id, texts=texts, dimensions=DIMENSIONS, now=now
        )

    return asked


def calls(tenant_id):
    with scope.tenant(tenant_id):
        return list(AICall.objects.order_by("pk"))


class TestVectorsOf:
    def test_makes_one_for_each_text_and_none_for_nothing(self, ask, tenant_id, openai_simulator):
        found = ask()

        assert set(found) == {"a", "b", "c"}
        np.testing.assert_array_equal(found["a"], found["b"])
        assert np.linalg.norm(found["c"]) == pytest.approx(1, abs=1e-2)
        with scope.tenant(tenant_id):
            assert {len(bytes(each)) for each in AIVector.objects.values_list("vector", flat=True)} == {2 * DIMENSIONS}
        (seen,) = openai_simulator.state()["seen"]
        assert seen["body"]["input"] == ["a wireless speaker", "a garden chair"]

    def test_pays_once_per_text(self, ask, tenant_id, openai_simulator):
        first, second = ask(), ask({**TEXTS, "e": "a lamp"})

        np.testing.assert_array_equal(first["c"], second["c"])
        assert [each["body"]["input"] for each in openai_simulator.state()["seen"]][1:] == [["a lamp"]]
        paid = calls(tenant_id)
        assert [(each.purpose, each.model, each.output_tokens) for each in paid] == [("embed", MODEL, 0)] * 2
        assert all(each.cost_nano_usd == each.input_tokens * 20 > 0 for each in paid)
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_is_logged_without_the_texts(self, ask, tenant_id):
        ask()

        with scope.tenant(tenant_id):
            row = AISent.objects.get()
        assert (row.purpose, row.contents) == ("embed", {"items": 2, "characters": 32})

    @pytest.mark.parametrize("kind", ["throttled", "insufficient_quota", "server_error", "garbage", "bad_request"])
    def test_goes_on_without_where_the_vendor_fails(self, ask, openai_simulator, kind):
        openai_simulator.fault(kind, part="body", endpoint="embeddings")

        assert ask(timeout_seconds=3.0) == {}

        assert openai_simulator.calls("embeddings") >= 1

    def test_spends_nothing_beyond_the_budget(self, ask, openai_simulator):
        assert ask(budget=BudgetLimits(tenant_day=BudgetLimit(nano_usd=100))) == {}
        assert openai_simulator.calls("embeddings") == 0

    def test_asks_nothing_of_a_tenant_that_switched_ai_off(self, ask, tenant_id, openai_simulator):
        with scope.tenant(tenant_id):
            AIRelease.objects.create(tenant_id=tenant_id, enabled=False)

        assert ask() == {}
        assert openai_simulator.calls("embeddings") == 0

    def test_keeps_what_is_used(self, ask, tenant_id):
        ask()
        later = NOW + timedelta(days=20)
        ask({"a": TEXTS["a"]}, now=later)

        assert store.purge(now=NOW + timedelta(days=31), keep_days=30) == 1
        with scope.tenant(tenant_id):
            assert AIVector.objects.get().used_on == later.date()


class TestItemText:
    def test_holds_what_describes_the_item_and_is_bounded(self):
        text = store.item_text(
            title="Alien", description="In space.\n" * 1000, categories=["Horror"], attributes={"studio": "Fox"}
        )

        assert text.startswith("Alien . Horror; studio: Fox . In space. In space.")
        assert len(text) == store.TEXT_LIMIT
        assert store.item_text(title="", description="", categories=[], attributes={}) == ""


class TestConfiguration:
    def test_needs_a_price_for_the_model(self, configuration):
        with pytest.raises(ImproperlyConfigured, match="no price"):
            build_embedder(replace(configuration, embedding_model="unheard-of"), today=NOW.date())

    def test_needs_a_key_and_a_model(self):
        with pytest.raises(ImproperlyConfigured, match="AI_EMBEDDING_MODEL"):
            build_embedder(AIConfiguration(api_key="k", model="m"), today=NOW.date())
