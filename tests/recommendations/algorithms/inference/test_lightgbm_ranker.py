"""The second stage: it learns what a blend cannot say, and is kept only where that helps strangers."""

import io
from dataclasses import replace

import numpy as np
import pytest

from recommendations.algorithms.blending.ranker_training import MIN_USERS, train_ranker
from recommendations.algorithms.blending.weights import CandidateSets
from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.evaluation.runner import evaluate
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.artefact import Artefact, UnreadableArtefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.metrics.bootstrap import Interval
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import fashions, interactions, raw, tastes, walks

OPTIONS = TrainingOptions(threads=1)
EACH, PEOPLE = 12, 600
WEIGHTS = np.array([0.5, 0.5])
POPULARITY = np.ones(EACH, dtype=np.float32)


def choices(*, by_chance=False):
    """Two reads. Chosen is whom both speak for alike, which no sum of the two can tell; or anything, by chance."""
    draw = np.random.default_rng(0)
    said = draw.normal(size=(PEOPLE * EACH, 2))
    gap = np.abs(said[:, 0] - said[:, 1]).reshape(PEOPLE, EACH)
    chosen = np.zeros((PEOPLE, EACH))
    chosen[np.arange(PEOPLE), draw.integers(0, EACH, PEOPLE) if by_chance else gap.argmin(axis=1)] = 1.0
    return CandidateSets(
        features=said,
        chosen=chosen.ravel(),
        starts=np.arange(PEOPLE) * EACH,
        items=np.tile(np.arange(EACH), PEOPLE),
        history_sizes=(5,) * PEOPLE,
        relevant=(1,) * PEOPLE,
    )


def learnt(told):
    return train_ranker(told, [0, 1], WEIGHTS, POPULARITY, told.ndcg(told.features @ WEIGHTS), OPTIONS)


@pytest.fixture(scope="module")
def trained():
    """An artefact with a second stage, whatever it is worth."""
    data = interactions(tastes(people=60, items=96, per_person=8))
    artefact = train(data, TrainingOptions(threads=1))
    draw = np.random.default_rng(1)
    count = len(artefact.scorers)
    users = [
        lightgbm_ranker.features(draw.normal(size=(30, count)), draw.normal(size=30), np.ones(30), 5) for _ in range(80)
    ]
    text = lightgbm_ranker.fit(users, [(each[:, 0] > 1).astype(float) for each in users], seed=0)
    return data, replace(artefact, ranker=text)


class TestLearn:
    def test_learns_what_no_weights_can_say(self):
        told = choices()
        alone = told.ndcg(told.features @ WEIGHTS)

        stage = learnt(told)

        assert stage.text
        assert stage.report["used"] is True
        assert stage.ndcg.mean() > alone.mean() + 0.1

    @pytest.mark.slow
    def test_is_the_same_again(self):
        assert learnt(choices()).text == learnt(choices()).text

    def test_is_left_out_where_it_helps_nobody_it_was_not_taught_by(self):
        """Taught by everybody it would know these users' chance choices by heart."""
        told = choices(by_chance=True)
        alone = told.ndcg(told.features @ WEIGHTS)

        stage = learnt(told)

        assert stage.text == ""
        assert stage.report["why"] == "not better than the blend by a standard error"
        assert stage.report["lead"] < 0.05
        assert stage.ndcg.tolist() == alone.tolist()


class TestTraining:
    def test_few_people_leave_it_out_and_that_is_said(self):
        artefact = train(interactions(tastes()), replace(OPTIONS, validation="last"))

        assert artefact.ranker == ""
        assert artefact.chosen["second_stage"] == {
            "used": False,
            "why": f"200 validation users, {MIN_USERS} are required",
        }

    @pytest.mark.slow
    def test_one_moment_for_all_leaves_it_out(self):
        data = interactions(fashions(people=700))

        artefact = train(data, replace(OPTIONS, validation="time"))

        assert artefact.ranker == ""
        assert "cut in time" in artefact.chosen["second_stage"]["why"]

    def test_nothing_is_said_of_it_where_none_may_take_part(self):
        assert "second_stage" not in train(interactions(tastes(people=40)), replace(OPTIONS, ranker="none")).chosen

    @pytest.mark.slow
    def test_what_it_is_worth_is_what_the_gate_hears_of(self, monkeypatch):
        """The judgement is that of the lists that would be served, of users who taught nothing to who ranks them."""
        monkeypatch.setattr("recommendations.algorithms.blending.ranker_training.paired_interval", _always_better)
        data = interactions(walks(people=600, items=60, length=8))

        plain, staged = train(data, replace(OPTIONS, ranker="none")), train(data, OPTIONS)

        assert staged.ranker
        assert staged.validation_scores.user_digests.tolist() == plain.validation_scores.user_digests.tolist()
        assert staged.validation_scores.ndcg.tolist() != plain.validation_scores.ndcg.tolist()

    @pytest.mark.slow
    def test_evaluate_shows_what_it_adds(self, monkeypatch):
        monkeypatch.setattr("recommendations.algorithms.blending.ranker_training.paired_interval", _always_better)

        report = evaluate(raw(walks(people=600, items=60, length=8)), "last10", 0, OPTIONS, with_models=False)

        assert list(report.stages) == ["blend"]
        lead = report.leads["blend"]
        assert lead["ndcg@10"] == pytest.approx(report.served["ndcg@10"] - report.stages["blend"]["ndcg@10"])
        assert lead["ci"][0] <= lead["ndcg@10"] <= lead["ci"][1]


class TestRecommender:
    def test_reorders_what_the_blend_proposes(self, trained):
        data, artefact = trained
        histories = histories_of(data)

        blended = Recommender(replace(artefact, ranker="")).recommend(histories, limit=20)
        staged = Recommender(artefact).recommend(histories, limit=20)

        assert any(one.items.tolist() != other.items.tolist() for one, other in zip(blended, staged, strict=True))
        for history, one, other in zip(histories, blended, staged, strict=True):
            assert len(other.items) == len(one.items)
            assert not set(other.items.tolist()) & set(history.items.tolist())
            assert (np.diff(other.scores) <= 0).all()

    def test_reasons_are_those_of_the_items_wherever_they_stand(self, trained):
        data, artefact = trained
        history = histories_of(data)[:1]

        blended = Recommender(replace(artefact, ranker="")).recommend(history, limit=96)[0]
        staged = Recommender(artefact).recommend(history, limit=96)[0]

        def reasons(made):
            return dict(zip(made.items.tolist(), zip(made.evidence.tolist(), made.families, strict=True), strict=True))

        assert reasons(staged) == reasons(blended)

    def test_survives_saving_and_mapping(self, trained, tmp_path):
        data, artefact = trained
        file = io.BytesIO()
        artefact.save(file)
        file.seek(0)
        loaded = Artefact.load(file)
        loaded.unpack(tmp_path / "copy")
        histories = histories_of(data)[:5]

        lists = [
            [made.items.tolist() for made in Recommender(each).recommend(histories, limit=10)]
            for each in (artefact, loaded, Artefact.mapped(tmp_path / "copy"))
        ]

        assert lists[0] == lists[1] == lists[2]

    def test_people_of_whom_nothing_is_known_get_the_blend_s_order(self, trained):
        _, artefact = trained
        nobody = [histories_of(interactions([("u", "i", 0.0)]))[0].empty()]

        plain = Recommender(replace(artefact, ranker="")).recommend(nobody, limit=10)[0]

        assert Recommender(artefact).recommend(nobody, limit=10)[0].items.tolist() == plain.items.tolist()

    def test_a_host_without_the_package_serves_the_blend_s_order(self, trained, monkeypatch):
        data, artefact = trained
        monkeypatch.setattr(lightgbm_ranker, "PACKAGE", "a_package_that_is_not_there")

        recommender = Recommender(artefact)
        lists = recommender.recommend(histories_of(data)[:3], limit=10)

        assert recommender.lacks_second_stage
        plain = Recommender(replace(artefact, ranker="")).recommend(histories_of(data)[:3], limit=10)
        assert [each.items.tolist() for each in lists] == [each.items.tolist() for each in plain]

    def test_a_text_that_is_none_is_an_unreadable_artefact(self, trained):
        _, artefact = trained

        with pytest.raises(UnreadableArtefact, match="second stage cannot be read"):
            Recommender(replace(artefact, ranker="nonsense"))


def _always_better(_ours, _theirs):
    return Interval(1.0, 1.0, 1.0)
