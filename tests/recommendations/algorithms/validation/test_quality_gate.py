"""A worse artefact is refused; a better one, an equal one and one that cannot be compared are not."""

import io

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.quality_gate import MIN_USERS, ValidationScores, compare, digest
from tests.recommendations.algorithms.generated import interactions, tastes, walks

OPTIONS = TrainingOptions(threads=1)


def validation_scores(values, *, first=0, protocol="last"):
    names = [f"u{number}" for number in range(first, first + len(values))]
    return ValidationScores.from_users(names, np.array(values, dtype=np.float64), protocol)


def shuffled(data):
    """The same users, items and moments; who chose what is chance."""
    items = np.random.default_rng(3).permutation(data.items)
    return Interactions.from_codes(data.users, items, data.times, data.user_ids, data.item_ids)


class TestJudge:
    def test_refuses_what_is_worse_beyond_noise_and_says_why(self):
        draw = np.random.default_rng(0)
        before = draw.random(200)

        verdict = compare(validation_scores(before - 0.1 - 0.05 * draw.random(200)), validation_scores(before))

        assert verdict.publish is False
        assert "Worse than the active artefact beyond noise" in verdict.reason
        assert "200 users" in verdict.reason
        assert verdict.difference is not None
        assert verdict.difference.high < 0

    def test_lets_noise_pass(self):
        draw = np.random.default_rng(0)

        for _ in range(5):
            before = draw.random(200)
            assert compare(validation_scores(before + draw.normal(0.02, 0.3, 200)), validation_scores(before)).publish

    def test_compares_the_same_people_only(self):
        before, now = np.full(100, 0.5), np.concatenate([np.full(50, 0.5), np.zeros(50)])

        verdict = compare(validation_scores(now, first=50), validation_scores(before))

        assert (verdict.publish, verdict.people) == (True, 50)

    @pytest.mark.parametrize(
        ("now", "said"),
        [
            (validation_scores([0.0] * (MIN_USERS - 1)), "only 19 users"),
            (validation_scores([0.0] * 50, protocol="random"), "validated on random"),
            (ValidationScores.none(), "validated on none"),
        ],
    )
    def test_does_not_compare_what_cannot_be_compared(self, now, said):
        verdict = compare(now, validation_scores([1.0] * 50))

        assert verdict.publish
        assert said in verdict.reason

    def test_says_whether_folds_differ_in_kind(self):
        by_last, by_time = validation_scores([0.1] * 50), validation_scores([0.1] * 50, protocol="time")

        assert compare(by_time, by_last).other_fold
        assert not compare(by_last, by_last).other_fold
        assert not compare(ValidationScores.none(), by_last).other_fold

    def test_names_nobody(self):
        assert digest("u1") not in (digest("u2"), digest("U1"))
        assert validation_scores([0.1]).user_digests.tolist() == [digest("u0")]


@pytest.mark.slow
class TestTraining:
    @pytest.mark.parametrize("rows", [walks(), tastes()], ids=["order", "taste"])
    def test_on_shuffled_data_is_refused_and_on_a_little_less_data_is_not(self, rows):
        data = interactions(rows)
        active = train(data, OPTIONS)
        fewer = interactions(rows[: int(len(rows) * 0.95)])

        assert compare(train(shuffled(data), OPTIONS).validation_scores, active.validation_scores).publish is False
        assert compare(train(fewer, OPTIONS).validation_scores, active.validation_scores).publish is True
        assert compare(active.validation_scores, train(shuffled(data), OPTIONS).validation_scores).publish is True

    def test_the_judgement_is_saved_and_is_what_was_chosen_by(self):
        artefact = train(interactions(tastes()), OPTIONS)
        file = io.BytesIO()
        artefact.save(file)
        file.seek(0)

        loaded = Artefact.load(file).validation_scores

        assert np.array_equal(loaded.user_digests, artefact.validation_scores.user_digests)
        assert loaded.ndcg.mean() == pytest.approx(artefact.chosen["validation_ndcg@10"]["blend"], abs=1e-5)
        assert loaded.protocol == "time"

    def test_the_same_people_judge_again_when_there_are_too_many(self):
        options = TrainingOptions(threads=1, validation_people=50)
        first = train(interactions(tastes(people=200)), options).validation_scores
        second = train(interactions(tastes(people=210)), options).validation_scores

        assert len(np.intersect1d(first.user_digests, second.user_digests)) > 40
