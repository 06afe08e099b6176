import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from recommendations.algorithms.blending import selection
from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers
from recommendations.algorithms.evaluation.runner import evaluate, protocol_for_fold
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.metrics.ranking import METRICS
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions, Validation
from recommendations.algorithms.validation.splitting import PROTOCOLS, Rows, split
from tests.benchmarks.quality import EVENTS, read_events
from tests.benchmarks.sets import SETS, UNSEEN, Generated
from tests.recommendations.algorithms.generated import fashions, raw, tastes, walks
from tests.size import sized

OPTIONS = TrainingOptions(threads=1)


@pytest.fixture(scope="module")
def report():
    return evaluate(raw(walks()), "last10", 0, OPTIONS).as_dict()


class TestReport:
    def test_is_json_with_every_metric_of_every_model(self, report):
        assert json.loads(json.dumps(report)) == report
        assert {"popularity", "recent_popularity", "item_item", "ease", "next_item"} <= report["models"].keys()
        for measured in [*report["models"].values(), report["served"]]:
            assert {*METRICS, "coverage@10", "ndcg@10_se"} <= measured.keys()

    def test_counts_the_data(self, report):
        data = report["data"]

        parts = split(raw(walks()), protocol="last10", seed=0)
        assert data["train_rows"] == parts.train.sum()
        assert data["test_rows"] == parts.test.sum()
        assert data["train_items"] == 60

    @pytest.mark.slow
    def test_serves_what_production_would(self, report):
        """Written out by hand: split, train, recommend, count hits."""
        rows = raw(walks())
        parts = split(rows, protocol="last10", seed=0)
        data = HeldOutUsers.to_interactions(rows, parts.train)
        lists = Recommender(train(data, OPTIONS)).recommend(histories_of(data))
        wanted: dict[str, set[int]] = {user: set() for user in data.user_ids}
        for user, item in zip(rows.users[parts.test], rows.items[parts.test], strict=True):
            wanted[user].add(data.item_ids.index(item))

        hits = [
            bool(wanted[user] & set(proposals.items[:10].tolist()))
            for user, proposals in zip(data.user_ids, lists, strict=True)
            if wanted[user]
        ]

        assert report["served"]["hit_rate@10"] == pytest.approx(np.mean(hits))


class TestValidation:
    def test_the_protocol_says_nothing_of_the_fold(self):
        """Persons come one after the other, so weights are chosen by their last rows, whatever the test part is."""
        chosen = [
            evaluate(raw(walks(people=60)), protocol, 0, OPTIONS, with_models=False).chosen for protocol in PROTOCOLS
        ]

        assert [each["validation"]["fold"] for each in chosen] == ["last", "last", "last"]

    def test_the_options_say_which_fold_chooses(self):
        options = replace(OPTIONS, validation="random")

        found = evaluate(raw(walks(people=60)), "last10", 0, options, with_models=False)

        assert found.chosen["validation"]["fold"] == "random"

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            (raw(walks(people=60)), "last10"),
            (raw(walks(people=60), with_times=False), "rand10"),
            (Rows(np.array([]), np.array([]), np.array([])), "rand10"),
        ],
        ids=["times", "no times", "nothing"],
    )
    def test_a_test_part_like_the_fold(self, rows, expected):
        assert protocol_for_fold(rows, OPTIONS) == expected

    def test_a_test_part_like_the_fold_that_is_asked_for(self):
        assert protocol_for_fold(raw(fashions()), replace(OPTIONS, validation="time")) == "global80"


@pytest.mark.slow
class TestQuality:
    """Data whose answer is known by construction; thresholds lie well below it and well above every wrong one."""

    def test_order(self, report):
        """The next item is n + 1 in nine of ten cases, and it may already be the user's own."""
        assert report["served"]["hit_rate@10"] > 0.75
        assert report["models"]["popularity"]["hit_rate@10"] < 0.4

    def test_taste_without_times(self):
        """One of 6 groups of 20 items, 9 of them known: 11 items are left, so one held-out item is hit in 10/11."""
        found = evaluate(raw(tastes(), with_times=False), "rand10", 0, OPTIONS).as_dict()

        assert found["served"]["hit_rate@10"] > 0.8
        assert found["models"]["popularity"]["hit_rate@10"] < 0.3
        assert "next_item" not in found["models"]

    def test_fashion(self):
        """Only what the crowd chose recently predicts; items that appeared after the cut cannot be proposed."""
        found = evaluate(raw(fashions()), "global80", 0, replace(OPTIONS, validation="time")).as_dict()

        assert found["data"]["unseen_test_items"] > 0
        assert found["models"]["recent_popularity"]["ndcg@10"] > 2 * found["models"]["popularity"]["ndcg@10"]
        assert found["served"]["ndcg@10"] >= 0.9 * found["models"]["recent_popularity"]["ndcg@10"]


def movielens():
    return Generated(read_events(EVENTS), "last10")


# Small ones with one structure each; under `make drills` also MovieLens and the sets of the benchmark, those that were
# never used in development among them.
SMALL: dict[str, Callable[[], Generated]] = {
    "walks": lambda: Generated(raw(walks()), "last10"),
    "tastes": lambda: Generated(raw(tastes()), "last10"),
    "tastes without times": lambda: Generated(raw(tastes(), with_times=False), "rand10"),
    "fashions": lambda: Generated(raw(fashions()), "global80"),
}
VALIDATION: dict[str, Validation] = {"last10": "last", "global80": "time", "rand10": "random"}
WHOLE = {"movielens": movielens, **{name: make for name, make in (SETS | UNSEEN).items() if name != "million"}}


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestTheBestSinglePart:
    """On the test part: the best of all parts is picked by it, the blend was not."""

    @pytest.mark.parametrize("name", sized(short=[*SMALL], long=[*SMALL, *WHOLE]))
    def test_the_blend_is_not_worse_than_it_beyond_noise(self, name):
        made = (SMALL | WHOLE)[name]()

        report = evaluate(
            made.rows, made.protocol, 0, replace(OPTIONS, validation=VALIDATION[made.protocol]), most_people=2_000
        )

        ((best, lead),) = report.leads.items()
        print(f"{name}: against {best} {lead['ndcg@10']:+.4f} [{lead['ci'][0]:+.4f}, {lead['ci'][1]:+.4f}]")
        assert not lead["worse"], (best, lead)

    def test_weights_that_ignore_what_is_known_are_called_worse(self, monkeypatch):
        """The proof that the comparison can fail: a blend of popularity alone, where order is all."""
        monkeypatch.setattr(selection, "BLEND_SHARES", (1.0,))
        monkeypatch.setattr(selection, "fit_weights", lambda choices, **_: np.eye(choices.features.shape[1])[0])

        report = evaluate(raw(walks()), "last10", 0, OPTIONS)

        ((_, lead),) = report.leads.items()
        assert lead["worse"]
        assert lead["ci"][1] < -0.1


def test_unseen_items_stay_in_the_denominators():
    """Five users, five rows each; all users' last row is an item of its own."""
    users = np.repeat([f"u{n}" for n in range(5)], 5)
    items = np.array([[*"abcd", f"last{n}"] for n in range(5)]).ravel()
    rows = Rows(users, items, np.tile(np.arange(5.0), 5))

    found = evaluate(rows, "last10", 0, OPTIONS).as_dict()

    assert found["data"]["unseen_test_items"] == 5
    assert found["data"]["test_people"] == 5
    assert found["served"]["recall@20"] == 0.0
