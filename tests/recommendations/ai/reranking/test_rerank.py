"""Reranking against a real server: complete lists, honest reasons, nothing personal outside."""

import json

import pytest

from recommendations.ai.protocol import NullProvider, ProviderError
from recommendations.ai.reranking.fact_sheet import Candidate, HistoryItem, ItemId
from recommendations.ai.reranking.prompts import PROMPT_VERSION
from recommendations.ai.reranking.rerank import RerankRequest
from tests.recommendations.ai.asking import rerank_with

CATEGORIES = [["Drama"], ["Horror"], ["Horror", "Sci-Fi"], ["Comedy"]]


def _request(*, size: int = 24, user_key: str = "p-1", locale: str = "en") -> RerankRequest:
    return RerankRequest(
        user_key=user_key,
        locale=locale,
        history=[HistoryItem(title="Alien", categories=["Horror", "Sci-Fi"])],
        candidates=[
            Candidate(
                item_id=f"sku-{rank}",
                title=f"Film Nr. {rank:03}",
                categories=CATEGORIES[rank % 4],
                part="ease",
                evidence=["Alien"],
            )
            for rank in range(size)
        ],
    )


def _ids(request: RerankRequest) -> list[ItemId]:
    return [each.item_id for each in request.candidates]


class TestRerank:
    def test_returns_every_item_once_with_a_reason(self, openai_provider):
        request = _request()

        result = rerank_with(openai_provider, request, deadline_seconds=5)

        assert sorted(each.item_id for each in result.items) == sorted(_ids(request))
        assert all(each.reason for each in result.items)
        assert result.violations == {}
        assert result.prompt_version == PROMPT_VERSION
        assert result.simulated is True

    def test_moves_only_what_the_facts_justify(self, openai_provider):
        """Rank 3 (Horror, Sci-Fi) shares more with Alien than rank 2 (Horror); nothing else may rise."""
        result = rerank_with(openai_provider, _request(size=4), deadline_seconds=5)

        # The pass swaps drama and horror first, so that the third keeps its place.
        assert [each.item_id for each in result.items] == ["sku-1", "sku-0", "sku-2", "sku-3"]

    def test_cites_what_a_reason_rests_on(self, openai_provider):
        result = rerank_with(openai_provider, _request(size=4), deadline_seconds=5)

        first = result.items[0]
        assert first.reason == "Because you liked Alien: also Horror"
        assert (first.evidence, first.written_by) == (("Alien", "Horror"), "ai")

    def test_answers_in_the_readers_language(self, openai_provider):
        result = rerank_with(openai_provider, _request(size=4, locale="de-AT"), deadline_seconds=5)

        assert result.items[0].reason == "Weil Ihnen Alien gefallen hat: auch Horror"

    def test_is_the_same_for_the_same_person(self, openai_provider, openai_simulator):
        for key in ("p-1", "p-1", "p-2"):
            rerank_with(openai_provider, _request(user_key=key), deadline_seconds=5)

        first, again, other = (each["body"]["messages"] for each in openai_simulator.state()["seen"])
        assert first == again != other

    def test_sends_no_key_of_a_person_and_no_id_of_an_item(self, openai_provider, openai_simulator):
        rerank_with(openai_provider, _request(user_key="end-user-4711"), deadline_seconds=5)

        sent = json.dumps(openai_simulator.state()["seen"])
        assert "end-user-4711" not in sent
        assert "sku-" not in sent
        assert "Film Nr. 003" in sent

    def test_shows_the_candidates_in_another_order(self, openai_provider, openai_simulator):
        rerank_with(openai_provider, _request(), deadline_seconds=5)

        text = openai_simulator.state()["seen"][-1]["body"]["messages"][1]["content"]
        ranks = [each["rank"] for each in json.loads(text.split("\n")[1])["candidates"]]
        assert sorted(ranks) == list(range(1, 25)) != ranks


class TestBadAnswers:
    def test_refuses_numbers_from_nowhere_and_tells_the_cost(self, openai_provider, openai_simulator):
        openai_simulator.fault("hallucinated")

        with pytest.raises(ProviderError) as caught:
            rerank_with(openai_provider, _request(), deadline_seconds=5)

        assert caught.value.reason == "invalid"
        assert caught.value.usage is not None
        assert caught.value.usage.output_tokens > 0

    @pytest.mark.parametrize(
        ("kind", "counter"), [("hallucinated", "unknown"), ("duplicates", "duplicate"), ("missing", "missing")]
    )
    def test_repairs_a_third(self, openai_provider, openai_simulator, kind, counter):
        request = _request()
        openai_simulator.fault(kind, share=0.34)

        result = rerank_with(openai_provider, request, deadline_seconds=5)

        assert getattr(result.order, counter) == 8
        assert result.order.missing == 8
        assert sorted(each.item_id for each in result.items) == sorted(_ids(request))
        assert [each.written_by for each in result.items].count("template") == 8

    def test_shows_none_of_the_injected_reasons(self, openai_provider, openai_simulator):
        openai_simulator.fault("injected_reasons")

        result = rerank_with(openai_provider, _request(), deadline_seconds=5)

        assert {each.reason for each in result.items} == {"Because you liked Alien"}
        assert sum(result.violations.values()) == 24

    def test_marks_usage_that_cannot_be_true(self, openai_provider, openai_simulator):
        openai_simulator.fault("wrong_usage")

        result = rerank_with(openai_provider, _request(), deadline_seconds=5)

        assert result.completion.usage.reported is False

    def test_passes_the_null_providers_refusal_on(self):
        with pytest.raises(ProviderError):
            rerank_with(NullProvider(), _request(), deadline_seconds=5)


class TestRerankRequest:
    @pytest.mark.parametrize("size", [0, 1, 31])
    def test_refuses_lists_of_the_wrong_size(self, size):
        with pytest.raises(ValueError, match="2 to 30"):
            _request(size=size)

    def test_refuses_an_item_twice(self):
        with pytest.raises(ValueError, match="twice"):
            RerankRequest(user_key="p", candidates=[Candidate(item_id=1), Candidate(item_id=1)])
