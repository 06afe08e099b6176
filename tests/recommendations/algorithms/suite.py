"""Promises of every registered algorithm, whatever it computes."""

from __future__ import annotations

import io

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.history import RankedHistory, histories_of
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import History, Recommender
from recommendations.algorithms.inference.scoring import score_histories
from recommendations.algorithms.models.protocol import Algorithm, Fitted, ItemMatrix, ItemVector, PairMatrix
from recommendations.algorithms.training.scorers import scorer_configs
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import checkerboard, interactions, random_rows

OPTIONS = TrainingOptions(threads=1)
# Users a and b on three items: a has x then y a day later; b has x, y, z on three days.
HAND = interactions(
    [("a", "x", 0.0), ("a", "y", 86_400.0), ("b", "x", 0.0), ("b", "y", 86_400.0), ("b", "z", 172_800.0)]
)


def artefact_of(algorithm: Algorithm, data: Interactions) -> Artefact:
    """Return an artefact whose blend is this algorithm alone."""
    from recommendations.algorithms.models.popularity import Popularity

    fitted: dict[str, Fitted] = {"popularity": Popularity().fit(data, OPTIONS)}
    fitted[algorithm.name] = algorithm.fit(data, OPTIONS)
    return Artefact(
        item_ids=data.item_ids,
        fitted=fitted,
        scorers=(scorer_configs(algorithm)[-1],),
        weights=np.ones(1),
        chosen={"similar_from": algorithm.name},
    )


def dense(fitted: Fitted) -> np.ndarray:
    """Return a vector or a matrix as an ordinary array whose largest entry is 1."""
    values = fitted.values if isinstance(fitted, ItemVector) else table(fitted)
    return np.asarray(values / values.max())


def table(matrix: PairMatrix) -> np.ndarray:
    """Return (items, items) what each item speaks for."""
    every = np.arange(matrix.item_count, dtype=np.int32)
    return np.asarray(matrix.submatrix(every, every))


def in_order_of(item_ids: list[str], fitted: Fitted, data: Interactions) -> np.ndarray:
    positions = [data.item_ids.index(item) for item in item_ids]
    values = dense(fitted)
    return values[positions] if values.ndim == 1 else values[np.ix_(positions, positions)]


class AlgorithmSuite:
    """Parametrise `algorithm` with anything that follows the protocol; `expected` knows HAND's answer."""

    @pytest.fixture
    def algorithm(self) -> Algorithm:
        raise NotImplementedError

    def test_equals_what_was_computed_by_hand(self, algorithm, expected):
        if expected is None:
            assert not algorithm.applies_to(HAND, OPTIONS)
            return

        found = dense(algorithm.fit(HAND, OPTIONS))

        assert found == pytest.approx(np.array(expected) / np.max(expected), abs=1e-3)

    def test_is_deterministic(self, algorithm):
        data = interactions(random_rows())

        first, second = dense(algorithm.fit(data, OPTIONS)), dense(algorithm.fit(data, OPTIONS))

        assert np.array_equal(first, second)
        assert first.any()

    def test_does_not_depend_on_the_order_of_rows(self, algorithm):
        rows = random_rows()
        shuffled = [rows[index] for index in np.random.default_rng(9).permutation(len(rows))]

        first = algorithm.fit(interactions(rows), OPTIONS)
        second = algorithm.fit(interactions(shuffled), OPTIONS)

        assert np.array_equal(dense(first), dense(second))

    def test_does_not_depend_on_what_items_are_called(self, algorithm):
        """So rows tied in time have no hidden order."""
        rows = random_rows()
        names = sorted({item for _, item, _ in rows})
        renamed = dict(zip(names, reversed(names), strict=True))
        data = interactions(rows)
        other = interactions([(user, renamed[item], time) for user, item, time in rows])

        first = in_order_of(names, algorithm.fit(data, OPTIONS), data)
        second = in_order_of([renamed[name] for name in names], algorithm.fit(other, OPTIONS), other)

        assert second == pytest.approx(first, abs=2e-3)

    def test_scores_are_finite(self, algorithm):
        fitted = algorithm.fit(interactions(random_rows(), extra_items=["never seen"]), OPTIONS)

        values = fitted.values if isinstance(fitted, ItemVector) else table(fitted)

        assert np.isfinite(values).all()

    def test_never_proposes_own_items_and_fills_the_list(self, algorithm):
        data = interactions(random_rows())
        histories = histories_of(data)

        lists = Recommender(artefact_of(algorithm, data)).recommend(histories, limit=20)

        for history, proposals in zip(histories, lists, strict=True):
            assert not set(history.items.tolist()) & set(proposals.items.tolist())
            assert len(set(proposals.items.tolist())) == min(20, data.item_count - len(history.items))

    def test_somebody_unknown_gets_a_full_list(self, algorithm):
        data = interactions(random_rows())
        recommender = Recommender(artefact_of(algorithm, data))

        (proposals,) = recommender.recommend([History.empty()], limit=10)

        assert len(proposals.items) == 10
        if algorithm.half_lives:
            assert proposals.items.tolist() == recommender.popular_items(10).items.tolist()

    def test_one_at_a_time_equals_all_at_once(self, algorithm):
        data = interactions(random_rows())
        recommender = Recommender(artefact_of(algorithm, data))
        histories = histories_of(data)

        together = recommender.recommend(histories, limit=15)

        for history, expected in zip(histories, together, strict=True):
            (alone,) = recommender.recommend([history], limit=15)
            assert np.array_equal(alone.items, expected.items)
            assert np.array_equal(alone.scores, expected.scores)
            assert np.array_equal(alone.evidence, expected.evidence)
            assert alone.families == expected.families

    def test_survives_saving_and_loading(self, algorithm):
        data = interactions(random_rows())
        artefact = artefact_of(algorithm, data)
        file = io.BytesIO()
        artefact.save(file)
        file.seek(0)

        loaded = Artefact.load(file)

        for before, after in zip(
            Recommender(artefact).recommend(histories_of(data)),
            Recommender(loaded).recommend(histories_of(data)),
            strict=True,
        ):
            assert np.array_equal(before.items, after.items)
            assert np.array_equal(before.scores, after.scores)


class MatrixSuite:
    """Further promises of an algorithm that leaves an item x item matrix."""

    def test_separates_the_two_colours_of_a_checkerboard(self, algorithm):
        data, held_out = checkerboard()
        fitted = {algorithm.name: algorithm.fit(data, OPTIONS)}
        histories = [RankedHistory.from_history(history, data.item_count) for history in histories_of(data)]

        for read in scorer_configs(algorithm):
            scratch = np.zeros(data.item_count)
            every = np.arange(data.item_count)
            for user, (scores,) in enumerate(score_histories(fitted, [read], histories, data.item_count)):
                z = scores.standardised(scratch, every)
                other_colour = every[every % 2 != held_out[user] % 2]

                assert z[held_out[user]] > z[other_colour].max(), (read, user)

    def test_rows_are_those_of_the_whole_table(self, algorithm):
        fitted = algorithm.fit(interactions(random_rows()), OPTIONS)
        if isinstance(fitted, ItemVector):
            return

        expected = table(fitted)
        some = np.array([3, 0, len(expected) - 1])
        assert fitted.dense_rows(some) == pytest.approx(expected[some], rel=1e-5, abs=1e-7)

    def test_a_matrix_has_no_diagonal_and_no_more_neighbours_than_asked_for(self, algorithm):
        fitted = algorithm.fit(interactions(random_rows()), TrainingOptions(neighbours=3, threads=1))

        assert not table(fitted).diagonal().any()
        if isinstance(fitted, ItemMatrix):
            assert np.diff(fitted.values.indptr).max() in (3, 4)
