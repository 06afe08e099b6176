"""Drafts under a placement's rules, over an artefact made by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import sparse

from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import FactorMatrix, ItemMatrix, ItemVector
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates.pools import Pools
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.ranking.drafts import DraftBuilder
from recommendations.placements.rules import Diversity, PlacementRules

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ITEMS = tuple(f"i{n}" for n in range(7))
# i0 to i2 are of one direction, i3 to i5 of another; i6, which the user chose, has a little of both.
DIRECTIONS = np.array([[3, 0], [2, 0], [1, 0], [0, 0.9], [0, 0.6], [0, 0.3], [1, 0.5]])


def matrices():
    ones = np.ones(len(ITEMS))
    values = DIRECTIONS @ DIRECTIONS.T
    np.fill_diagonal(values, 0.0)
    return {
        "factors": FactorMatrix.from_factors(DIRECTIONS, ones, ones),
        "entries": ItemMatrix(sparse.csr_array(values.astype(np.float32))),
    }


@pytest.mark.parametrize("form", ["factors", "entries"])
def test_diversity_over_similarity_works_with_every_form_of_a_matrix(form):
    artefact = Artefact(
        item_ids=ITEMS,
        fitted={"popularity": ItemVector(np.ones(len(ITEMS), dtype=np.float32)), "ease": matrices()[form]},
        scorers=(ScorerConfig("ease", np.inf),),
        weights=np.ones(1),
        chosen={"similar_from": "ease"},
    )
    loaded = Loaded(1, Recommender(artefact))
    user = UserProfile(1, "u", "en", 1, events=(("i6", 1.0),))
    (proposals,) = loaded.recommender.recommend([user.history_in(loaded)], 6)
    facts = {item_id: ItemFacts(title=item_id, until=None, item_id=item_id) for item_id in ITEMS}
    rules = PlacementRules(diversity=Diversity(0.4, over="vectors"))

    draft = DraftBuilder(loaded, Pools(), facts, NOW, "en").draft(rules, user, proposals, None, is_cold=False)

    assert [loaded.item_ids[index] for index in proposals.items[:3]] == ["i0", "i1", "i2"]
    assert [entry.item_id for entry in draft.entries[:2]] == ["i0", "i3"]
