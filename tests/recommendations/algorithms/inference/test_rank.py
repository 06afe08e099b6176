"""Given items are ranked as a list ranks them, in whatever order they come."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.algorithms.data.history import History, histories_of
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, tastes
from tests.recommendations.algorithms.inference.test_recommender import (
    BLEND,
    BREAD,
    CAKE,
    HAMMER,
    NAILS,
    NEW,
    TEA,
    UNSOLD,
)

DATA = interactions(tastes(people=60, items=96, per_person=8))
HISTORIES = histories_of(DATA)


@pytest.fixture(scope="module")
def artefact():
    return train(DATA, TrainingOptions(threads=1))


@pytest.fixture(scope="module", params=["blend", "second stage"])
def trained(request, artefact):
    if request.param == "blend":
        return Recommender(artefact)
    draw, count = np.random.default_rng(1), len(artefact.scorers)
    users = [
        lightgbm_ranker.features(draw.normal(size=(30, count)), draw.normal(size=30), np.ones(30), 5) for _ in range(80)
    ]
    text = lightgbm_ranker.fit(users, [(each[:, 0] > 1).astype(float) for each in users], seed=0)
    return Recommender(replace(artefact, ranker=text))


@pytest.mark.parametrize("person", [0, 7, 31])
def test_the_items_of_a_list_stand_as_in_the_list_with_its_scores_and_reasons(trained, person):
    (listed,) = trained.recommend([HISTORIES[person]], 40)

    ranked = trained.rank(HISTORIES[person], np.sort(listed.items))

    assert ranked.items.tolist() == listed.items.tolist()
    assert ranked.scores == pytest.approx(listed.scores)
    assert ranked.evidence.tolist() == listed.evidence.tolist()
    assert ranked.families == listed.families


@settings(max_examples=40, deadline=None)
@given(items=st.lists(st.integers(0, DATA.item_count - 1), unique=True, max_size=60), seed=st.integers(0, 99))
def test_the_order_in_which_they_come_changes_nothing(artefact, items, seed):
    recommender, history = Recommender(artefact), HISTORIES[seed % len(HISTORIES)]
    shuffled = np.random.default_rng(seed).permutation(np.array(items, dtype=np.int32))

    first = recommender.rank(history, np.array(items, dtype=np.int32))
    second = recommender.rank(history, shuffled)

    assert sorted(first.items.tolist()) == sorted(items)
    assert second.items.tolist() == first.items.tolist()
    assert second.families == first.families
    assert second.evidence.tolist() == first.evidence.tolist()
    assert (np.diff(first.scores) <= 0).all()


def test_each_item_has_the_place_that_it_has_among_others(trained):
    """The items that are ranked along with an item do not change its score."""
    alone = {
        item: trained.rank(HISTORIES[3], np.array([item], dtype=np.int32)).scores[0]
        for item in range(0, DATA.item_count, 5)
    }

    together = trained.rank(HISTORIES[3], np.array(list(alone), dtype=np.int32))

    assert [alone[item] for item in together.items.tolist()] == together.scores.tolist()


def test_what_the_person_has_is_ranked_too_and_equals_stand_by_their_index():
    ranked = BLEND.rank(History(np.array([TEA], dtype=np.int32)), np.array([NAILS, TEA, HAMMER, CAKE], dtype=np.int32))

    assert ranked.items.tolist()[0] == CAKE
    assert ranked.items.tolist()[2:] == [HAMMER, NAILS]


def test_nothing_is_said_of_what_nobody_knows():
    ranked = BLEND.rank(History.empty(), np.array([UNSOLD, NEW, BREAD], dtype=np.int32))

    assert ranked.items.tolist() == [BREAD, NEW, UNSOLD]
    assert ranked.families == ("popularity", "popularity", "")


def test_no_items_are_no_error(trained):
    assert trained.rank(HISTORIES[0], np.empty(0, dtype=np.int32)).items.tolist() == []
