"""An artefact with items that came after its training behaves as if it had known their texts."""

import io
from dataclasses import replace

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.history import History
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.incremental import IncrementalItems, extend_artefact, find_similar_texts
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.content import TEXT, Catalogue
from recommendations.algorithms.models.protocol import FactorMatrix, ItemMatrix
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions

OPTIONS = TrainingOptions(threads=1)
WORDS = ["sea", "storm", "ship", "mountain", "snow", "ski", "city", "train", "crowd"]
ITEMS = tuple(f"i{number:02d}" for number in range(18))


def document(number):
    kind = number % 3
    return [WORDS[3 * kind], WORDS[3 * kind + 1], WORDS[3 * kind + 2], *WORDS[number % 9 : number % 9 + 1]]


@pytest.fixture(scope="module")
def artefact():
    """Each of 12 users chose items of one kind; items 15 to 17 were chosen by nobody."""
    users, items = zip(*((user, item) for user in range(12) for item in range(15) if item % 3 == user % 3), strict=True)
    seen = Interactions.from_codes(
        np.array(users), np.array(items), None, [f"u{number:02d}" for number in range(12)], ITEMS[:15]
    )
    return train(seen, OPTIONS, catalogue=Catalogue(ITEMS, [document(number) for number in range(18)]))


def beside(artefact, documents, *, places=None, item_ids=()):
    """The artefact with these texts at these places, behind all others if none are given."""
    vectors = artefact.texts.vectors_of(documents)
    where = np.array(places or range(18, 18 + len(documents)), dtype=np.int32)
    near = find_similar_texts(
        artefact.texts,
        artefact.fitted[TEXT].values,
        vectors=vectors,
        places=where,
        others=vectors,
        other_places=where,
    )
    fresh = IncrementalItems(tuple(item_ids), where, near, np.arange(1, len(documents) + 1))
    return Recommender(extend_artefact(artefact, fresh))


class TestExtended:
    def test_a_fresh_item_has_the_neighbours_of_one_with_its_text(self, artefact):
        recommender = beside(artefact, [document(17)], item_ids=["new"])

        fresh, known = recommender.similar_items(18, 20), recommender.similar_items(17, 20)

        assert set(fresh.items.tolist()) - {17} == set(known.items.tolist()) - {18}
        assert set(fresh.items.tolist()) >= set(range(2, 15, 3))

    def test_it_is_proposed_to_those_who_chose_what_is_like_it_and_to_no_one_else(self, artefact):
        recommender = beside(artefact, [document(16)], item_ids=["new"])
        lovers, others = [1, 4, 7], [2, 5, 8]

        own, not_own = recommender.recommend([History(np.array(lovers)), History(np.array(others))], 19)

        assert own.items.tolist().index(18) < not_own.items.tolist().index(18)
        assert set(own.evidence[own.items.tolist().index(18)]) <= {*lovers, -1}
        assert own.evidence[own.items.tolist().index(18)][0] in lovers

    def test_it_stands_in_the_lists_of_its_neighbours(self, artefact):
        recommender = beside(artefact, [document(15)], item_ids=["new"])

        assert 18 in recommender.similar_items(0, 20).items
        assert 18 not in recommender.similar_items(1, 20).items

    def test_two_fresh_items_know_each_other_once(self, artefact):
        recommender = beside(artefact, [document(15), document(15)], item_ids=["new", "newer"])
        text = recommender.artefact.fitted[TEXT]

        assert 19 in recommender.similar_items(18, 20).items
        assert 18 in recommender.similar_items(19, 20).items
        links = text.rows(np.array([18, 19]))
        assert links[[0], [19]] == pytest.approx(artefact.texts.scale, rel=0.01)
        assert links[[1], [18]] == pytest.approx(artefact.texts.scale, rel=0.01)

    def test_a_changed_item_loses_its_old_neighbours(self, artefact):
        recommender = beside(artefact, [document(2)], places=[15])

        assert 15 not in recommender.similar_items(0, 20).items
        assert 15 in recommender.similar_items(2, 20).items
        assert set(recommender.similar_items(15, 20).items.tolist()) <= {2, 5, 8, 11, 14, 17}

    def test_a_text_that_did_not_change_changes_nothing(self, artefact):
        recommender = beside(artefact, [document(number) for number in (3, 16)], places=[3, 16])
        histories = [History(np.array([0, 3, 4])), History(np.array([1, 16]))]

        before, after = Recommender(artefact).recommend(histories, 10), recommender.recommend(histories, 10)

        assert [each.items.tolist() for each in before] == [each.items.tolist() for each in after]

    def test_matrices_are_shared_with_the_artefact(self, artefact):
        wider = beside(artefact, [document(15)], item_ids=["new"]).artefact

        for name, part in artefact.fitted.items():
            if isinstance(part, ItemMatrix):
                assert np.shares_memory(part.values.data, wider.fitted[name].values.data)
            elif isinstance(part, FactorMatrix):
                assert np.shares_memory(part.vectors, wider.fitted[name].vectors)

    def test_without_fresh_items_it_is_the_same(self, artefact):
        none = IncrementalItems((), np.empty(0, np.int32), [], np.empty(0, np.int64))
        history = [History(np.array([0, 3]))]

        assert (
            Recommender(extend_artefact(artefact, none)).recommend(history)[0].items.tolist()
            == Recommender(artefact).recommend(history)[0].items.tolist()
        )


class TestTexts:
    def test_of_an_artefact_survive_storage_and_mapping(self, artefact, tmp_path):
        file = io.BytesIO()
        artefact.save(file)
        file.seek(0)
        loaded = Artefact.load(file)
        loaded.unpack(tmp_path / "copy")
        mapped = Artefact.mapped(tmp_path / "copy")

        for each in (loaded, mapped):
            assert each.texts is not None
            assert each.texts.place == artefact.texts.place
            assert each.texts.scale == artefact.texts.scale
            assert np.allclose(each.texts.vectors.toarray(), artefact.texts.vectors.toarray(), atol=1e-3)

    def test_of_an_older_artefact_are_none(self, artefact):
        file = io.BytesIO()
        replace(artefact, texts=None).save(file)
        file.seek(0)

        assert Artefact.load(file).texts is None

    def test_compare_on_the_scale_of_the_matrix(self, artefact):
        text, texts = artefact.fitted[TEXT].values, artefact.texts
        cosines = (texts.vectors @ texts.vectors.T).toarray()
        entries = text.tocoo()

        assert np.allclose(entries.data, cosines[entries.row, entries.col] * texts.scale, rtol=0.01)

    def test_terms_that_the_training_did_not_know_say_nothing(self, artefact):
        assert not artefact.texts.vectors_of([["zebra", "xylophone"]]).nnz
