"""Ranking metrics with binary relevance, one value per user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRICS = ("ndcg@10", "recall@10", "recall@20", "hit_rate@10", "mrr@10")


def user_metrics(ranked: NDArray[Any], relevant: set[Any] | frozenset[Any]) -> dict[str, float]:
    """Return the metrics of one ranked list against the set of relevant items.

    NDCG's ideal holds min(10, number of relevant items) hits; recall divides by the number of relevant items,
    including those that could not be recommended.

    Raises:
        ValueError: no item is relevant, so no metric is defined.
    """
    if not relevant:
        raise ValueError("relevant is empty: leave out users without test items")
    hits = np.fromiter((item in relevant for item in ranked[:20]), dtype=bool, count=min(20, len(ranked)))
    first_ten = hits[:10]
    discounts = 1.0 / np.log2(np.arange(2, 12))
    ideal = discounts[: min(10, len(relevant))].sum()
    return {
        "ndcg@10": float(discounts[: len(first_ten)][first_ten].sum() / ideal),
        "recall@10": float(first_ten.sum() / len(relevant)),
        "recall@20": float(hits.sum() / len(relevant)),
        "hit_rate@10": float(first_ten.any()),
        "mrr@10": float(1.0 / (1 + np.argmax(first_ten))) if first_ten.any() else 0.0,
    }


def summarise(
    lists: Sequence[NDArray[Any]], relevant: Sequence[set[Any] | frozenset[Any]], *, item_count: int
) -> dict[str, float]:
    """Return means over users, with the standard error of each as `<metric>_se`.

    coverage@10 is the share of the catalogue (`item_count` items) that is among the first ten of any list.
    """
    users = [user_metrics(ranked, wanted) for ranked, wanted in zip(lists, relevant, strict=True)]
    summary: dict[str, float] = {}
    for metric in METRICS:
        values = np.array([user[metric] for user in users])
        summary[metric] = float(values.mean()) if len(values) else 0.0
        summary[f"{metric}_se"] = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    shown: set[Any] = set()
    for ranked in lists:
        shown.update(ranked[:10].tolist())
    summary["coverage@10"] = len(shown) / item_count if item_count else 0.0
    return summary
