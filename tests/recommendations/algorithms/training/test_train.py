import io

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.training.train import NoInteractions, train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows, tastes, walks

OPTIONS = TrainingOptions(threads=1)


def saved(artefact):
    file = io.BytesIO()
    artefact.save(file)
    with np.load(io.BytesIO(file.getvalue())) as arrays:
        return {name: arrays[name].tobytes() for name in arrays}


class TestTrain:
    def test_does_not_depend_on_the_order_of_rows(self):
        rows = walks(people=60)
        shuffled = [rows[index] for index in np.random.default_rng(1).permutation(len(rows))]

        assert saved(train(interactions(rows), OPTIONS)) == saved(train(interactions(shuffled), OPTIONS))

    def test_chooses_sequences_where_order_is_everything(self):
        artefact = train(interactions(walks()), OPTIONS)

        alone = {k: v for k, v in artefact.chosen["validation_ndcg@10"].items() if k != "blend"}
        assert max(alone, key=alone.__getitem__).startswith("next_item")
        weights = artefact.chosen["weights"]
        assert sum(weight for label, weight in weights.items() if label.startswith("next_item")) > 0.3
        assert "popularity" not in weights

    def test_uses_no_recency_without_times(self):
        data = interactions(tastes())
        timeless = Interactions.from_codes(data.users, data.items, None, data.user_ids, data.item_ids)

        artefact = train(timeless, OPTIONS)

        assert artefact.chosen["validation"]["fold"] == "random"
        assert all(read.half_life in (None, np.inf) for read in artefact.scorers)
        assert not any("recent" in name or "next" in name for name in artefact.fitted)

    def test_decides_nothing_on_a_handful_of_people_yet_works(self):
        artefact = train(interactions([("a", "x", 1.0), ("b", "x", 2.0), ("b", "y", 3.0)]), OPTIONS)

        assert artefact.chosen["decided"] is False
        assert artefact.weights.sum() == pytest.approx(1.0)

    def test_refuses_an_empty_history(self):
        empty = Interactions.from_codes(np.empty(0, int), np.empty(0, int), None, ["a"], ["x"])

        with pytest.raises(NoInteractions, match="import events"):
            train(empty, OPTIONS)

    def test_works_without_any_dense_matrix(self):
        options = TrainingOptions(threads=1, max_dense_items=1, max_rank=1)

        artefact = train(interactions(tastes()), options)

        assert "ease" not in {read.algorithm for read in artefact.scorers}
        assert artefact.chosen["similar_from"] == "item_item"
        assert artefact.chosen["decided"] is True

    def test_validation_people_are_bounded(self):
        artefact = train(interactions(tastes()), TrainingOptions(threads=1, validation_people=50))

        assert artefact.chosen["validation_people"] == 50

    def test_reports_its_progress(self):
        seen = []

        train(interactions(random_rows()), OPTIONS, lambda message, share: seen.append((message, share)))

        shares = [share for _, share in seen]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert all(message for message, _ in seen)

    def test_a_global_fold_without_judges_gives_way(self):
        """All users' rows lie on one day, so nobody has rows on both sides of a cut in time."""
        artefact = train(interactions(walks()), TrainingOptions(threads=1, validation="time"))

        assert artefact.chosen["validation"]["fold"] == "last"


class TestTrainingOptions:
    @pytest.mark.parametrize(
        "wrong", [{"threads": 0}, {"validation": "global80"}, {"neighbours": 0}, {"l1": -1.0}, {"smallest_weight": 1.0}]
    )
    def test_refuses_nonsense(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TrainingOptions(**wrong)

    def test_keeps_fewer_neighbours_on_a_large_catalogue(self):
        assert TrainingOptions().neighbours_for(10_000) == 200
        assert TrainingOptions().neighbours_for(200_000) == 100
