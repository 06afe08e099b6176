"""Places for items without interactions: whom they fit, and how many of them pay."""

import numpy as np
import pytest

from recommendations.algorithms.blending.cold_item_slots import decide_slots
from recommendations.algorithms.blending.cold_item_trials import SlotTrial
from recommendations.algorithms.data.history import History, histories_of
from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.inference.cold_items import (
    EXPLORATION_INTERVAL,
    MAX_USER_SHARE,
    MIN_SIMILARITY,
    ColdItemSlots,
    insert_cold_items,
    match_thresholds,
    matching_items,
)
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import DAY, interactions

GROUPS, ITEMS = 6, 180
NEW = ITEMS - 30  # From this number on items are new: nobody chose them before their own last choice.
STRANGERS = range(1000, 1030)  # In the catalogue, and never chosen by anybody.


def rows(*, new: bool, people: int = 240):
    """Everybody chooses ten items of their group, and the last of each is one of those that are new, or none is."""
    draw = np.random.default_rng(4)
    found = []
    for user in range(people):
        group = np.arange(user % GROUPS, ITEMS, GROUPS)
        chosen = draw.choice(group[group < NEW], 10, replace=False)
        if new:
            chosen[-1] = draw.choice(group[group >= NEW])
        found += [(f"u{user}", f"i{item}", place * DAY) for place, item in enumerate(chosen)]
    return found


def catalogue():
    """Texts that name the group, and items of each group that nobody ever chooses."""
    numbers = [*range(ITEMS), *STRANGERS]
    documents = [terms(title=f"kind{number % GROUPS} kind{number % GROUPS}s") for number in numbers]
    return Catalogue(tuple(f"i{number}" for number in numbers), documents)


def trained(*, new: bool, **others):
    options = TrainingOptions(threads=1, validation="last", **others.pop("options", {}))
    return train(interactions(rows(new=new)), options, catalogue=catalogue(), **others)


def cold_places(artefact, data, *, limit=100):
    """The places, from 0, of items without interactions, in all users' lists."""
    recommender = Recommender(artefact)
    at = np.array([artefact.item_ids.index(item) for item in data.item_ids], dtype=np.int32)
    histories = [History(at[history.items], history.times) for history in histories_of(data)]
    return [
        [place for place, item in enumerate(each.items.tolist()) if recommender.is_cold(item)]
        for each in recommender.recommend(histories, limit=limit)
    ]


@pytest.fixture(scope="module")
def artefact():
    """Of a tenant whose new items nobody ever chooses."""
    return trained(new=False)


class TestPut:
    """Numbers from 100 on are cold."""

    COLD = np.arange(200) >= 100

    def test_one_on_each_so_manieth_place(self):
        found = insert_cold_items(np.arange(40, dtype=np.int32), [101, 102, 103], self.COLD, every=10, limit=40)

        assert [place for place, item in enumerate(found) if item >= 100] == [9, 19, 29]
        assert found[[9, 19, 29]].tolist() == [101, 102, 103]
        assert len(found) == 40
        assert found[:9].tolist() == list(range(9))

    def test_none_where_one_is_already(self):
        ranked = np.array([0, 1, 150, *range(3, 20)], dtype=np.int32)

        assert insert_cold_items(ranked, [101], self.COLD, every=20, limit=20).tolist() == ranked.tolist()

    def test_one_further_down_moves_up(self):
        ranked = np.array([*range(30), 101], dtype=np.int32)

        found = insert_cold_items(ranked, [101, 102], self.COLD, every=20, limit=31).tolist()

        assert found.index(101) == 19
        assert 102 not in found
        assert len(set(found)) == len(found) == 31

    def test_none_at_all(self):
        ranked = np.arange(40, dtype=np.int32)

        assert insert_cold_items(ranked, [101], self.COLD, every=0, limit=40).tolist() == ranked.tolist()


class TestFitting:
    def test_takes_what_is_more_alike_than_others_find_it_best_first(self):
        alike = np.array([9.0, 3.0, 5.0, 1.0])
        all_users = np.ones(4, dtype=bool)

        assert matching_items(alike, all_users, match_thresholds(np.array([9.5, 0, 0, 0], dtype=np.float32)), 10) == [
            2,
            1,
        ]

    def test_has_a_floor_for_artefacts_that_tell_nothing_of_people(self):
        alike = np.array([MIN_SIMILARITY + 1, MIN_SIMILARITY])

        assert matching_items(alike, np.ones(2, dtype=bool), match_thresholds(np.empty(0, dtype=np.float32)), 10) == [0]


class TestItemsThatNobodyEverChooses:
    """New items are in the catalogue, fit users' tastes, and were never chosen."""

    def test_get_no_place_among_the_first_twenty_and_some_behind(self, artefact):
        places = cold_places(artefact, interactions(rows(new=False)))

        assert artefact.chosen["cold"]["every"] == EXPLORATION_INTERVAL
        assert "brought no more" in artefact.chosen["cold"]["why"]
        found = [place for each in places for place in each]
        assert found
        assert min(found) >= 20
        assert {tried["hits"] for tried in artefact.chosen["cold"]["fold"]} == {0}

    def test_are_given_places_where_that_is_asked_for(self):
        asked = trained(new=False, options={"cold_every": 10})

        places = cold_places(asked, interactions(rows(new=False)), limit=20)

        assert asked.chosen["cold"]["why"] == "It was requested."
        assert max(len(each) for each in places) == 2

    @pytest.mark.slow
    def test_are_given_none_where_that_is_asked_for(self):
        artefact = trained(new=False, options={"cold_every": 0})
        recommender = Recommender(artefact)
        before = recommender.recommend([History(np.array([0, 6, 12], dtype=np.int32))], limit=100)[0]

        assert not [place for place, item in enumerate(before.items[:100].tolist()) if recommender.is_cold(item)]


class TestItemsThatPeopleChooseNext:
    def test_compete_and_are_not_held_back(self):
        """20 items of each group are left for somebody; nothing but the texts tells that those come before others."""
        artefact = trained(new=True)

        chosen = artefact.chosen["cold"]
        (competing,) = (tried for tried in chosen["fold"] if not tried["every"])
        places = cold_places(artefact, interactions(rows(new=True)), limit=30)
        assert chosen["compete"]
        assert competing["ndcg@100"] > 2 * competing["ndcg@100_se"]
        assert competing["hits"] > 30
        assert {place for each in places for place in each} == {20, 21, 22, 23, 24}


class TestTheFold:
    def test_gives_as_many_places_as_bring_most(self):
        tried = [trial(0, 0.0), trial(50, 0.001), trial(20, 0.01), trial(10, 0.005)]

        decided = decide_slots(tried, None)

        assert (decided.every, decided.compete) == (20, True)
        assert "one position in 20" in decided.why

    def test_gives_none_of_the_first_places_for_a_gain_that_may_be_luck_or_costs_the_first_twenty(self):
        for tried in ([trial(20, 0.01, error=0.006)], [trial(20, 0.01, recall_20=-0.001)]):
            decided = decide_slots(tried, None)

            assert (decided.every, decided.compete) == (EXPLORATION_INTERVAL, False)


def trial(every, gain, *, error=0.0001, recall_20=0.0):
    return SlotTrial(every, gain, error, recall_20, 0.0, 100, 10)


class TestWhatIsLikeEverybody:
    def test_fits_a_third_of_the_people_at_most(self):
        """One strange item shares its only word with half of each group's items, and each user has several."""
        numbers = [*range(ITEMS), 1000]
        documents = [
            terms(title="common" if number in (0, 1000) or number % 9 == 0 else f"w{number}") for number in numbers
        ]
        told = Catalogue(tuple(f"i{number}" for number in numbers), documents)
        data = interactions(rows(new=False))
        artefact = train(data, TrainingOptions(threads=1, cold_every=10), catalogue=told)

        places = cold_places(artefact, data, limit=40)

        assert sum(1 for each in places if each) <= MAX_USER_SHARE * len(places) + 1


@pytest.mark.slow
def test_an_artefact_without_texts_has_no_places_for_them_and_an_old_one_explores():
    artefact = train(interactions(rows(new=False)), TrainingOptions(threads=1))

    assert ColdItemSlots.from_chosen(artefact.chosen).every == 0
    assert ColdItemSlots.from_chosen({}).every == EXPLORATION_INTERVAL


@pytest.mark.parametrize("wrong", [-1, 101])
def test_a_number_of_places_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="cold_every"):
        TrainingOptions(cold_every=wrong)
