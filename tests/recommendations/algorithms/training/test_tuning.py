"""Tuning finds what is better by construction, never looks at the fold that it is judged on, and keeps to its time."""

import itertools

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.training.train import NoInteractions
from recommendations.algorithms.training.tuning import TooFewUsers, tune
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from tests.recommendations.algorithms.generated import interactions, tastes, walks

OPTIONS = TrainingOptions(threads=1)


def ticking(step):
    """A clock on which each look takes so many seconds: a budget in looks, whatever the machine."""
    looks = itertools.count()
    return lambda: next(looks) * step


class TestTune:
    def test_an_hour_that_is_over_tries_nothing_and_changes_nothing(self):
        found = tune(interactions(tastes(people=60)), OPTIONS, {"ease.l2": 1000}, seconds=0.5, timer=ticking(1.0))

        assert (found.current, found.found, found.trials) == ({"ease.l2": 1000.0}, {"ease.l2": 1000.0}, ())
        assert (found.changed, found.complete, found.difference.mean) == (False, False, 0.0)
        assert found.verdict == "Nothing better than the current parameters was found."

    @pytest.mark.slow
    def test_finds_what_is_better_by_construction(self):
        """In walks only the last item tells the next one, so half-lives stretched fourfold are bad."""
        found = tune(interactions(walks()), OPTIONS, {"half_lives": 4}, seconds=25, timer=ticking(1.0))

        assert found.found.get("half_lives", 1.0) < 4
        assert found.changed
        assert found.difference.low > 0
        assert found.verdict.startswith("Better than the current parameters beyond noise")
        assert found.users == 150

    @pytest.mark.slow
    def test_never_sees_the_fold_that_it_is_judged_on(self):
        """With all users' last choices changed, the search does the same; only the comparison does not."""
        data = interactions(walks(people=100))
        held_out = make_fold(data, OPTIONS).parts[0].future
        last = np.isin(
            data.users.astype(np.int64) * 1_000 + data.items, held_out.users.astype(np.int64) * 1_000 + held_out.items
        )
        own = {user: set(data.items[data.users == user].tolist()) for user in range(data.user_count)}
        items = data.items.copy()
        for row in np.flatnonzero(last):
            items[row] = next(n for n in range(data.item_count - 1, -1, -1) if n not in own[int(data.users[row])])
            own[int(data.users[row])].add(int(items[row]))
        other = Interactions(data.users, items, data.times, data.user_ids, data.item_ids)

        one, two = (tune(each, OPTIONS, {"half_lives": 4}, seconds=16, timer=ticking(1.0)) for each in (data, other))

        assert one.trials
        assert one.trials == two.trials
        assert one.found == two.found
        assert one.ndcg_found.mean > two.ndcg_found.mean

    def test_too_few_people_are_told_of(self):
        with pytest.raises(TooFewUsers, match="enough history to judge by"):
            tune(interactions(tastes(people=12)), OPTIONS, {}, seconds=1)
        with pytest.raises(NoInteractions):
            tune(interactions(tastes(people=3)).select(np.zeros(30, dtype=bool)), OPTIONS, {}, seconds=1)
