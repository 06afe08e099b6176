import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.event_values import (
    HALF,
    MAX_FACTOR,
    MIN_FACTOR,
    EventValues,
    ValueWeighting,
    fit_weighting,
    strength_factors,
    weightings_from_json,
)
from recommendations.algorithms.training.event_strength import choose_strength, weight_interactions
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold

NAN = np.nan


def values(*rows, names=("play",), settings=None):
    """Rows of (user, item, type, value)."""
    users, items, kinds, amounts = zip(*rows, strict=True)
    said = EventValues(
        np.array([names.index(kind) for kind in kinds]), np.array(amounts, dtype=np.float32), names, settings or {}
    )
    return said, np.array(users), np.array(items)


class TestFactors:
    def test_none_is_one_for_all(self):
        said, users, items = values((0, 0, "play", 1), (0, 1, "play", 13_883))

        assert strength_factors({"play": ValueWeighting()}, said, users, items).tolist() == [1, 1]

    def test_log_grows_from_least_to_most_and_is_one_at_the_median(self):
        said, users, items = values(*((0, item, "play", plays) for item, plays in enumerate([1, 10, 20, 45, 13_883])))
        how = fit_weighting(said, users, items, 0, "log")

        found = strength_factors({"play": how}, said, users, items)

        assert how.median == 20
        assert (found[0], found[2], found[4]) == (MIN_FACTOR, 1.0, MAX_FACTOR)
        assert (np.diff(found) > 0).all()

    def test_repeated_events_add_up_with_and_without_values(self):
        rows = [*((0, 0, "play", NAN) for _ in range(3)), (0, 1, "play", NAN), (1, 0, "play", NAN)]
        said, users, items = values(*rows)

        found = strength_factors({"play": fit_weighting(said, users, items, 0, "log")}, said, users, items)

        assert found.tolist() == [2, 2, 2, 1, 1]

    def test_an_event_without_a_value_counts_as_a_usual_one(self):
        said, users, items = values((0, 0, "play", 8), (0, 1, "play", NAN), (0, 2, "play", 8))

        assert strength_factors({"play": fit_weighting(said, users, items, 0, "log")}, said, users, items).tolist() == [
            1,
            1,
            1,
        ]

    def test_ratings_do_not_add_up(self):
        said, users, items = values((0, 0, "rating", 2), (0, 0, "rating", 2), (0, 1, "rating", 4), names=("rating",))
        how = ValueWeighting("threshold", median=3.0)

        assert strength_factors({"rating": how}, said, users, items).tolist() == [HALF, HALF, 1]

    def test_a_threshold_is_the_persons_own_where_they_have_enough(self):
        mine = [(0, item, "play", amount) for item, amount in enumerate([10, 20, 30, 40, 50])]
        said, users, items = values(*mine, (1, 0, "play", 1), (1, 1, "play", 3))
        how = ValueWeighting("threshold", median=2.0)

        found = strength_factors({"play": how}, said, users, items)

        assert found.tolist() == [HALF, HALF, 1, 1, 1, HALF, 1]

    def test_types_count_apart(self):
        said, users, items = values((0, 0, "play", 1), (0, 0, "view", 99), names=("play", "view"))

        assert strength_factors({"view": ValueWeighting("log", median=33.0)}, said, users, items).tolist() == [1, 2]

    def test_refunds_take_nothing_away_below_the_least(self):
        said, users, items = values((0, 0, "play", -50), (0, 1, "play", 10), (0, 2, "play", 10))

        assert (
            strength_factors({"play": fit_weighting(said, users, items, 0, "log")}, said, users, items)[0] == MIN_FACTOR
        )

    def test_rules_come_back_from_what_an_artefact_keeps(self):
        how = ValueWeighting("log", median=3.5, missing=2.0)

        assert weightings_from_json({"play": how.as_json() | {"ndcg@10": {"none": 0.1}}}) == {"play": how}
        assert weightings_from_json(None) == {}


def tastes(people=400, items=120, each=16, seed=5, telling=True):
    """Users try items of any kind, and play those of their own kind a hundred times as much; the rest they do not."""
    draw = np.random.default_rng(seed)
    users = np.repeat(np.arange(people), each)
    chosen = np.concatenate([draw.choice(items, each, replace=False) for _ in range(people)])
    own = chosen % 4 == users % 4
    more = (
        np.repeat(np.arange(people), 6),
        np.concatenate([4 * draw.choice(items // 4, 6, replace=False) + user % 4 for user in range(people)]),
    )
    users, chosen = np.append(users, more[0]), np.append(chosen, more[1])
    own = np.append(own, np.ones(len(more[0]), dtype=bool))
    plays = np.where(own, 300.0, 3.0) * draw.lognormal(0, 0.3, len(users))
    if not telling:
        plays = draw.permutation(plays)
    return users, chosen, plays.astype(np.float32)


def weighed(users, items, plays, *, setting="auto"):
    ids = [f"{number:04d}" for number in range(1 + max(users.max(), items.max()))]
    options = TrainingOptions(threads=1)
    return weight_interactions(
        lambda said: Interactions.from_codes(users, items, None, ids, ids, strengths=said),
        users=users,
        items=items,
        strengths=np.ones(len(users), dtype=np.float32),
        values=EventValues(np.zeros(len(users), dtype=int), plays, ("play",), {"play": setting}),
        fold_maker=lambda interactions: make_fold(interactions, options),
    )


class TestChoice:
    def test_counts_values_where_they_tell_what_people_like(self):
        found = weighed(*tastes())

        assert found.rules["play"].way in ("log", "threshold")
        assert found.interactions.strengths is not None
        measured = found.as_json()["play"]["ndcg@10"]
        assert measured[found.rules["play"].way] > measured["none"]

    def test_counts_none_where_they_tell_nothing(self):
        found = weighed(*tastes(telling=False))

        assert found.rules["play"].way == "none"
        assert found.interactions.strengths is None

    @pytest.mark.parametrize("setting", ["log", "threshold"])
    def test_takes_what_is_set_without_measuring(self, setting):
        found = weighed(*tastes(telling=False), setting=setting)

        assert found.rules["play"].way == setting
        assert found.measured == {}
        assert found.interactions.strengths is not None

    def test_none_is_none(self):
        assert weighed(*tastes(), setting="none").interactions.strengths is None

    def test_measures_nothing_where_all_values_are_alike(self):
        users, items, _ = tastes()
        _, first = np.unique(users * 1_000 + items, return_index=True)

        found = weighed(users[first], items[first], np.full(len(first), 7.0, dtype=np.float32))

        assert (found.rules, found.measured) == ({}, {})

    def test_a_handful_of_people_choose_nothing(self):
        users, items, plays = tastes(people=8)

        found = weighed(users, items, plays)

        assert found.rules["play"].way == "none"

    def test_no_rows_are_no_trouble(self):
        nothing = np.empty(0, dtype=int)
        said = EventValues(nothing, np.empty(0, dtype=np.float32), ("play", ""), {})

        found = weight_interactions(
            lambda said: Interactions.from_codes(nothing, nothing, None, [], [], strengths=said),
            users=nothing,
            items=nothing,
            strengths=np.empty(0, dtype=np.float32),
            values=said,
            fold_maker=lambda interactions: make_fold(interactions, TrainingOptions()),
        )

        assert found.interactions.row_count == 0

    def test_the_first_candidate_stays_where_no_other_is_clearly_better(self):
        users, items, _ = tastes()
        ids = [f"{number:04d}" for number in range(400)]
        same = Interactions.from_codes(users, items, None, ids, ids)

        name, means = choose_strength(
            {"none": lambda: same, "log": lambda: same}, lambda interactions: make_fold(interactions, TrainingOptions())
        )

        assert name == "none"
        assert means["none"] == means["log"]
