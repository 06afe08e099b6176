"""Builds the AI request for an eligible list, for builds and for the cost estimate."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from recommendations.ai.gateway import response_cache
from recommendations.ai.privacy.consent import SharingConsent
from recommendations.ai.reranking import prompts
from recommendations.ai.reranking.fact_sheet import MAX_HISTORY, Candidate, HistoryItem
from recommendations.ai.reranking.rerank import RerankRequest
from recommendations.cache.list_codec import HEAD, Entry
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking.variants import VariantAssignment


@dataclass(frozen=True, slots=True)
class QuestionBuilder:
    """Builds questions; holds what those about one placement's lists share."""

    tenant_id: int
    facts: Mapping[str, ItemFacts]
    tenant_locale: str
    consent: SharingConsent
    assignment: VariantAssignment

    def build(self, draft: Draft) -> RerankRequest:
        """The question about a list with an arm, with the prompt of its rules."""
        facts, user = self.facts, draft.user
        newest_first = dict.fromkeys(item_id for item_id, _ in reversed(user.events) if item_id in facts)
        liked = [item_id for item_id in newest_first if item_id not in user.rated_below_mean]
        return RerankRequest(
            user_key=response_cache.user_key(tenant_id=self.tenant_id, user_pk=user.pk),
            candidates=[self._candidate(entry, user.rated_below_mean) for entry in draft.entries[:HEAD]],
            history=[
                HistoryItem(title=facts[item_id].title, categories=facts[item_id].categories)
                for item_id in liked[:MAX_HISTORY]
            ],
            user_attributes=self.consent.user_attributes_to_share(user.attributes),
            locale=user.locale or self.tenant_locale,
            prompt=prompts.known(self.assignment.recipe_for(draft.arm).rules.prompt),
        )

    def _candidate(self, entry: Entry, rated_below_mean: Collection[str]) -> Candidate:
        item = self.facts[entry.item_id]
        return Candidate(
            item_id=entry.item_id,
            title=item.title,
            categories=item.categories,
            attributes=self.consent.of_item(item.attributes),
            description=item.description,
            part=entry.part,
            evidence=[
                self.facts[item_id].title
                for item_id in entry.evidence
                if item_id in self.facts and item_id not in rated_below_mean
            ],
        )
