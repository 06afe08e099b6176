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
ITEMS = tuple(f"i{n:02}" for n in range(17))
# The first eight are of one direction, the next eight of another; the last, which the user chose, has both.
STRENGTHS = np.linspace(2.0, 1.3, 8)
DIRECTIONS = np.array([*((each, 0.0) for each in STRENGTHS), *((0.0, each) for each in STRENGTHS / 2), (1.0, 1.0)])


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
    user = UserProfile(1, "u", "en", 1, events=(("i16", 1.0),))
    (proposals,) = loaded.recommender.recommend([user.history_in(loaded)], 16)
    facts = {item_id: ItemFacts(title=item_id, until=None, item_id=item_id) for item_id in ITEMS}
    rules = PlacementRules(diversity=Diversity(0.2, over="vectors"))

    draft = DraftBuilder(loaded, Pools(), facts, NOW, "en").draft(rules, user, proposals, None, is_cold=False)

    assert [loaded.item_ids[index] for index in proposals.items[:8]] == list(ITEMS[:8])
    assert draft.entries[0].item_id == "i00"
    assert draft.entries[1].item_id >= "i08"
