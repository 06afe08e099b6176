"""The question about a list that is meant for AI: what a build asks, and what the preview of its cost counts."""

from collections.abc import Mapping
from dataclasses import dataclass

from recommendations.ai.gateway import response_cache
from recommendations.ai.privacy.consent import SharingConsent
from recommendations.ai.reranking import prompts
from recommendations.ai.reranking.fact_sheet import MAX_HISTORY, Candidate, HistoryItem
from recommendations.ai.reranking.rerank import RerankRequest
from recommendations.cache.list_codec import HEAD, Entry
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking.variants import Following


@dataclass(frozen=True, slots=True)
class Asking:
    """What the questions about one placement's lists share."""

    tenant_id: int
    facts: Mapping[str, ItemFacts]
    tenant_locale: str
    released: SharingConsent
    following: Following

    def request(self, each: Draft) -> RerankRequest:
        """The question about a list whose arm is named, with the prompt that its rules name."""
        facts, lukewarm = self.facts, each.person.lukewarm
        liked = (item_id for item_id, _ in reversed(each.person.events) if item_id in facts and item_id not in lukewarm)
        seen = dict.fromkeys(liked)
        return RerankRequest(
            user_key=response_cache.user_key(tenant_id=self.tenant_id, user_pk=each.person.pk),
            candidates=[_candidate(entry, facts, lukewarm, self.released) for entry in each.entries[:HEAD]],
            history=[
                HistoryItem(title=facts[item_id].title, categories=facts[item_id].categories)
                for item_id in list(seen)[:MAX_HISTORY]
            ],
            user_attributes=self.released.user_attributes_to_share(each.person.attributes),
            locale=each.person.locale or self.tenant_locale,
            prompt=prompts.known(self.following.way(each.arm).rules.prompt),
        )


def _candidate(
    entry: Entry, facts: Mapping[str, ItemFacts], lukewarm: frozenset[str], released: SharingConsent
) -> Candidate:
    item = facts[entry.item_id]
    return Candidate(
        item_id=entry.item_id,
        title=item.title,
        categories=item.categories,
        attributes=released.of_item(item.attributes),
        description=item.description,
        part=entry.part,
        evidence=[facts[each].title for each in entry.evidence if each in facts and each not in lukewarm],
    )
