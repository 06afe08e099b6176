"""Rerank requests of a fixed kind: films for somebody who liked Alien."""

from recommendations.ai.reranking.fact_sheet import Candidate, HistoryItem
from recommendations.ai.reranking.rerank import RerankRequest

CATEGORIES = [["Drama"], ["Horror"], ["Horror", "Sci-Fi"], ["Comedy"]]


def films(user_key: str = "p-1", *, size: int = 20, liked: str = "Alien", locale: str = "en") -> RerankRequest:
    """Return a request of so many candidates."""
    return RerankRequest(
        user_key=user_key,
        locale=locale,
        history=[HistoryItem(title=liked, categories=["Horror", "Sci-Fi"])],
        candidates=[
            Candidate(
                item_id=f"sku-{rank}",
                title=f"Film Nr. {rank:03}",
                categories=CATEGORIES[rank % 4],
                part="ease",
                evidence=[liked],
            )
            for rank in range(size)
        ],
    )
