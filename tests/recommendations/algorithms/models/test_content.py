"""Texts and given neighbours: items without interactions get into lists and have similar items."""

import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from recommendations.algorithms.data.history import History, histories_of
from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.content import TEXT, Catalogue
from recommendations.algorithms.training.blend import CONTENT_MIN_WEIGHT
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, tastes

OPTIONS = TrainingOptions(threads=1)
GROUPS, ITEMS, COLD = 6, 120, 12
EVERY = 20


def word(number):
    return f"kind{number % GROUPS}"


def catalogue(**neighbours):
    """The items of `tastes`, whose text names their group, and a dozen without interactions."""
    numbers = [*range(ITEMS), *range(1000, 1000 + COLD)]
    documents = [terms(title=f"{word(number)} {word(number)}s", description=f"only {number}") for number in numbers]
    return Catalogue(tuple(f"i{number}" for number in numbers), documents, neighbours)


@pytest.fixture(scope="module")
def recommender():
    return Recommender(train(interactions(tastes()), replace(OPTIONS, cold_every=EVERY), catalogue=catalogue()))


def names(recommender, places):
    return [recommender.artefact.item_ids[place] for place in places]


class TestTerms:
    def test_are_words_and_whole_categories_and_attributes(self):
        found = terms(title="The Red Fox", description="a fox", categories=["Night Animals"], attributes={"wild": True})

        assert found.count("fox") == 3
        assert found.count("category=night animals") == 2
        assert "wild=true" in found
        assert "a" not in found

    def test_take_each_string_of_a_list_and_no_numbers(self):
        assert terms(attributes={"cast": ["Ann", "Bo"], "year": 1999}) == ["cast=ann", "cast=bo"]


def text_matrices(documents):
    ids = tuple(f"i{number:03}" for number in range(len(documents)))
    return Catalogue(ids, documents).matrices(ids, OPTIONS)


class TestTextNeighbours:
    def test_equal_the_cosines_computed_by_hand(self):
        """The first text has x and y, the next two have one each; the others share nothing."""
        many = [["x", "y"], ["x"], ["y"], *([f"w{number}"] for number in range(20)), []]
        dense = text_matrices(many)[TEXT].toarray()
        assert dense[0, 1] == pytest.approx(dense[0, 2])
        assert dense[1, 2] == 0
        assert not dense[3:].any()

    def test_a_term_of_one_text_or_of_most_tells_nothing(self):
        documents = [["all", f"own{number}"] for number in range(50)]

        assert text_matrices(documents) == {}


class TestColdItems:
    def test_keep_the_index_of_every_item(self, recommender):
        ids = recommender.artefact.item_ids

        assert ids == tuple(sorted(ids))
        assert len(ids) == ITEMS + COLD
        assert set(names(recommender, recommender.artefact.cold)) == {f"i{1000 + number}" for number in range(COLD)}

    def test_stand_on_every_twentieth_place_and_are_of_the_persons_kind(self, recommender):
        ids = {item: place for place, item in enumerate(recommender.artefact.item_ids)}
        history = History(np.array([ids["i0"], ids["i6"], ids["i12"]]), np.arange(3.0))

        (proposals,) = recommender.recommend([history], limit=60)

        cold = [place for place in proposals.items.tolist() if place in set(recommender.artefact.cold.tolist())]
        assert len(cold) >= 2
        assert names(recommender, cold)[0] in {f"i{number}" for number in range(1000, 1012) if number % GROUPS == 0}
        assert proposals.items.tolist().index(cold[0]) < EVERY
        place = proposals.items.tolist().index(cold[0])
        assert proposals.evidence[place, 0] in history.items
        assert proposals.families[place] == "text"
        assert (np.diff(proposals.scores) <= 0).all()
        assert len(set(proposals.items.tolist())) == 60

    def test_are_not_proposed_where_they_are_excluded(self, recommender):
        cold = recommender.artefact.cold

        (proposals,) = recommender.recommend([History(np.array([0, 1, 2]))], limit=60, filter_items=cold)

        assert not set(proposals.items.tolist()) & set(cold.tolist())

    def test_have_similar_items_and_are_similar_items(self, recommender):
        ids = {item: place for place, item in enumerate(recommender.artefact.item_ids)}

        of_cold = names(recommender, recommender.similar_items(ids["i1002"], 20).items)
        of_warm = names(recommender, recommender.similar_items(ids["i2"], 20).items)

        kind = 1002 % GROUPS
        assert len(of_cold) >= 15
        assert sum(int(item[1:]) % GROUPS == kind for item in of_cold) > len(of_cold) * 0.9
        assert any(int(item[1:]) >= 1000 for item in of_warm)

    def test_change_nothing_for_the_first_places_of_others(self, recommender):
        data = interactions(tastes())
        plain = Recommender(train(data, OPTIONS))
        (without,) = plain.recommend([histories_of(data)[0]], limit=10)
        (with_cold,) = recommender.recommend(
            [
                History(
                    np.array(
                        [
                            recommender.artefact.item_ids.index(data.item_ids[item])
                            for item in histories_of(data)[0].items
                        ]
                    ),
                    histories_of(data)[0].times,
                )
            ],
            limit=10,
        )

        common = set(names(plain, without.items)) & set(names(recommender, with_cold.items))
        assert len(common) >= 5

    def test_survive_saving(self, recommender):
        file = io.BytesIO()
        recommender.artefact.save(file)
        file.seek(0)

        assert Artefact.load(file).cold.tolist() == recommender.artefact.cold.tolist()


class TestGivenNeighbours:
    def test_are_one_more_part_under_their_own_name(self):
        """Here they know the group of every item exactly."""
        numbers = [int(item[1:]) % GROUPS for item in catalogue().item_ids]
        same = sparse.csr_array((np.array(numbers)[:, None] == np.array(numbers)[None, :]).astype(np.float32))

        artefact = train(interactions(tastes()), OPTIONS, catalogue=catalogue(semantic=same))

        assert "semantic" in {label.partition("/")[0] for label in artefact.chosen["validation_ndcg@10"]}
        assert len(artefact.cold) == COLD

    def test_refuses_neighbours_of_other_items(self):
        with pytest.raises(ValueError, match="for 132 items"):
            catalogue(semantic=sparse.csr_array((3, 3)))

    def test_content_that_earns_nothing_whispers(self):
        """Texts that tell nothing of taste: every pair of items shares one."""
        ids = tuple(f"i{number}" for number in [*range(ITEMS), 1000, 1001])
        draw = np.random.default_rng(2)
        noise = Catalogue(ids, [[f"n{draw.integers(30)}"] for _ in ids])

        artefact = train(interactions(tastes()), OPTIONS, catalogue=noise)

        assert min(artefact.weights) == CONTENT_MIN_WEIGHT or artefact.chosen["weights"].get("text/inf", 0) < 0.2


@pytest.fixture(scope="module")
def whispering():
    """Too few users to weigh anything: the blend is neighbours, and popularity a fifth."""
    made = Recommender(train(interactions(tastes(people=15)), OPTIONS, catalogue=catalogue()))
    assert made.artefact.weights.tolist() == [0.8, 0.2, CONTENT_MIN_WEIGHT]
    return made


class TestPeopleOfNewItemsOnly:
    """Content serves users of new items only, even with a tiny weight in the blend: nothing else knows the items."""

    def test_get_what_is_like_them_and_are_told_so(self, whispering):
        new = whispering.artefact.item_ids.index("i1000")

        made = whispering.recommend([History(np.array([new], dtype=np.int32))], limit=10)[0]

        assert {int(name[1:]) % GROUPS for name in names(whispering, made.items)} == {1000 % GROUPS}
        assert set(made.families) == {"text"}
        assert set(made.evidence[:, 0].tolist()) == {new}

    def test_are_served_by_the_blend_from_the_first_known_item_on(self, whispering):
        new, known = whispering.artefact.item_ids.index("i1000"), int(whispering.popular_items(1).items[0])
        history = History(np.array([new, known], dtype=np.int32))

        made = whispering.recommend([history], limit=10)[0]

        assert "item_item" in made.families
