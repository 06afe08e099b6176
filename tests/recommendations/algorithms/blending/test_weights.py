import numpy as np
import pytest

from recommendations.algorithms.blending.weights import CandidateSets, fit_weights


def choices_of(features, chosen, starts):
    """Candidates that are items 0, 1, ... for all users, each having chosen one."""
    users = len(starts)
    return CandidateSets(
        features, chosen, starts, np.arange(len(chosen)) % (len(chosen) // users), (5,) * users, (1,) * users
    )


def choices(people=80, candidates=30):
    """The first read knows the answer half the time, the second a quarter, the third never."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(people * candidates, 3))
    starts = np.arange(people) * candidates
    chosen = np.zeros(len(features))
    chosen[starts] = 1
    features[starts[: people // 2], 0] += 3
    features[starts[people // 2 : 3 * people // 4], 1] += 3
    return choices_of(features, chosen, starts)


class TestFitWeights:
    def test_weighs_reads_by_what_they_know(self):
        weights = fit_weights(choices(), l1=0.001, smallest_weight=0.05)

        assert weights.sum() == pytest.approx(1.0)
        assert weights[0] > weights[1] > 0.1
        assert weights[2] < 0.1

    def test_drops_weights_below_the_threshold(self):
        weights = fit_weights(choices(), l1=0.001, smallest_weight=0.3)

        assert weights[2] == 0.0

    def test_never_weighs_negatively(self):
        data = choices()
        data.features[:, 2] = -data.features[:, 0]

        weights = fit_weights(data, l1=0.001, smallest_weight=0.0)

        assert (weights >= 0).all()
        assert weights[2] == 0.0

    def test_a_strong_pull_leaves_nothing(self):
        assert not fit_weights(choices(), l1=100.0, smallest_weight=0.0).any()

    def test_finds_the_minimum_of_the_softmax_loss(self):
        """With one read and two candidates the answer is a logit: choosing the better one in 3 of 4 cases."""
        features = np.tile(np.array([[1.0], [0.0]]), (4, 1))
        chosen = np.array([1.0, 0, 1, 0, 1, 0, 0, 1])
        data = choices_of(features, chosen, np.array([0, 2, 4, 6]))

        from recommendations.algorithms.blending.weights import _minimise

        assert _minimise(data, np.array([True]), 0.0) == pytest.approx([np.log(3)], rel=1e-3)


class TestNdcg:
    def test_is_the_best_possible_where_the_chosen_come_first(self):
        data = choices_of(np.zeros((4, 1)), np.array([0.0, 1, 1, 0]), np.array([0, 2]))

        assert data.ndcg(np.array([0.0, 1, 1, 0])).tolist() == [1.0, 1.0]
        assert data.ndcg(np.array([1.0, 0, 1, 0])).tolist() == pytest.approx([1 / np.log2(3), 1.0])

    def test_counts_what_was_chosen_and_nobody_proposed(self):
        data = choices_of(np.zeros((2, 1)), np.array([1.0, 0]), np.array([0]))
        missed = CandidateSets(data.features, data.chosen, data.starts, data.items, data.history_sizes, (2,))

        assert missed.ndcg(np.array([1.0, 0]))[0] == pytest.approx(1 / (1 + 1 / np.log2(3)))
