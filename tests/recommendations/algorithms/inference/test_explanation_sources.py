import numpy as np
import pytest

from recommendations.algorithms.data import recency_weights
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.history import RankedHistory, histories_of
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows


@pytest.fixture(scope="module")
def data() -> Interactions:
    return interactions(random_rows(people=80))


@pytest.fixture(scope="module")
def recommender(data):
    return Recommender(train(data, TrainingOptions(threads=1)))


def contributions(recommender, history):
    """(history, items) and (reads, items), straight from the definitions with dense arrays."""
    artefact = recommender.artefact
    by_row = np.zeros((len(history.items), artefact.item_count))
    by_read = []
    for read, weight in zip(artefact.scorers, artefact.weights, strict=True):
        part = artefact.fitted[read.algorithm]
        if isinstance(part, ItemMatrix):
            rows = part.values.toarray()[history.items].astype(np.float64)
            rows *= recency_weights.weights(history.ranks, read.half_life)[:, None]
        else:
            rows = part.values[None, :].astype(np.float64)
        scores = rows.sum(axis=0)
        by_read.append(weight * (scores - scores.mean()) / scores.std())
        if isinstance(part, ItemMatrix):
            by_row += weight * rows / scores.std()
    return by_row, np.stack(by_read)


def test_names_the_history_items_that_contributed_most(data, recommender):
    for plain in histories_of(data)[:30]:
        history = RankedHistory.from_history(plain, data.item_count)
        by_row, _ = contributions(recommender, history)

        (proposals,) = recommender.recommend([plain], 10)

        for item, evidence in zip(proposals.items, proposals.evidence, strict=True):
            contribution = dict(zip(history.items.tolist(), by_row[:, item], strict=True))
            named = [contribution[index] for index in evidence.tolist() if index >= 0]
            largest = sorted((value for value in contribution.values() if value > 0), reverse=True)[:2]
            assert named == pytest.approx(largest, rel=1e-4)


def test_names_the_family_that_contributed_most_and_ranks_by_the_sum(data, recommender):
    from recommendations.algorithms.models.registry import ALGORITHMS

    families = [ALGORITHMS[read.algorithm].family for read in recommender.artefact.scorers]
    for plain in histories_of(data)[:30]:
        _, by_read = contributions(recommender, RankedHistory.from_history(plain, data.item_count))

        (proposals,) = recommender.recommend([plain], 10)

        total = by_read.sum(axis=0)
        barred = set(plain.items.tolist())
        best = max(value for item, value in enumerate(total) if item not in barred)
        assert total[proposals.items[0]] == pytest.approx(best, abs=1e-4)
        for item, part in zip(proposals.items, proposals.families, strict=True):
            sums = dict.fromkeys(families, 0.0)
            for family, value in zip(families, by_read[:, item], strict=True):
                sums[family] += value
            if max(sums.values()) > 0:
                assert sums[part] == pytest.approx(max(sums.values()), abs=1e-4)
            else:
                assert part == "popularity"
