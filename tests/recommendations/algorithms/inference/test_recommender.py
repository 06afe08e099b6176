import numpy as np
import pytest

from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.recommender import History, Recommender, UnknownItem
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.item_knn import ItemKNN
from recommendations.algorithms.models.popularity import Popularity
from recommendations.algorithms.models.protocol import Algorithm, Fitted
from recommendations.algorithms.models.recent_popularity import RecentPopularity
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import DAY, interactions

OPTIONS = TrainingOptions(threads=1)
# tea goes with cake, nails with hammer, bread is what most users buy; "new" was only bought on the last day.
ROWS = [
    *[(f"t{n}", item, 0.0) for n in range(4) for item in ("tea", "cake")],
    *[(f"n{n}", item, 0.0) for n in range(3) for item in ("nails", "hammer")],
    *[(f"b{n}", "bread", 0.0) for n in range(6)],
    *[(f"w{n}", "new", 300 * DAY) for n in range(2)],
]
DATA = interactions(ROWS, extra_items=["unsold"])
BREAD, CAKE, HAMMER, NAILS, NEW, TEA, UNSOLD = range(7)


# More users than one or two must have come recently for it to be the present.
LATELY = interactions([*ROWS, *((f"l{n}", "new", 300 * DAY) for n in range(5))], extra_items=["unsold"])


def recommender(weights, data=DATA):
    algorithms: list[Algorithm] = [Popularity(), RecentPopularity(days=7), ItemKNN()]
    fitted: dict[str, Fitted] = {a.name: a.fit(data, OPTIONS) for a in algorithms}
    return Recommender(
        Artefact(
            item_ids=DATA.item_ids,
            fitted=fitted,
            scorers=tuple(weights),
            weights=np.array(list(weights.values())),
            chosen={"similar_from": "item_item"},
        )
    )


BLEND = recommender({ScorerConfig("item_item", np.inf): 0.7, ScorerConfig("popularity", None): 0.3})


def history(*items):
    return History(np.array(items, dtype=np.int32))


class TestRecommend:
    def test_puts_what_goes_with_the_history_first_and_fills_with_popularity(self):
        (proposals,) = BLEND.recommend([history(TEA)])

        assert proposals.items.tolist() == [CAKE, BREAD, HAMMER, NAILS, NEW, UNSOLD]
        assert (np.diff(proposals.scores) <= 0).all()

    def test_says_which_history_item_and_which_part_spoke(self):
        (proposals,) = BLEND.recommend([history(NAILS, TEA)])

        of = dict(zip(proposals.items.tolist(), proposals.evidence.tolist(), strict=True))
        part = dict(zip(proposals.items.tolist(), proposals.families, strict=True))
        assert of[CAKE] == [TEA, -1]
        assert of[HAMMER] == [NAILS, -1]
        assert of[BREAD] == [-1, -1]
        assert part[CAKE] == "item_item"
        assert part[BREAD] == "popularity"

    def test_names_recent_popularity(self):
        weights = {ScorerConfig("recent_popularity@7d", None): 1.0}
        (proposals,) = recommender(weights, LATELY).recommend([history(TEA)], 1)

        assert proposals.items.tolist() == [NEW]
        assert proposals.families == ("recent_popularity",)

    def test_an_empty_history_gets_popularity(self):
        (proposals,) = BLEND.recommend([History.empty()])

        assert proposals.items.tolist() == [BREAD, CAKE, TEA, HAMMER, NAILS, NEW, UNSOLD]
        assert set(proposals.families) == {"popularity"}
        assert (proposals.evidence == -1).all()

    def test_respects_the_limit(self):
        assert len(BLEND.recommend([history(TEA)], 2)[0].items) == 2
        assert len(BLEND.recommend([history(TEA)], 0)[0].items) == 0

    def test_leaves_out_what_is_excluded(self):
        lists = BLEND.recommend(
            [history(TEA), history(NAILS)],
            filter_items=np.array([BREAD], dtype=np.int32),
            filter_user_items=[np.array([CAKE], dtype=np.int32), np.empty(0, np.int32)],
        )

        assert CAKE not in lists[0].items
        assert CAKE in lists[1].items
        assert BREAD not in [*lists[0].items, *lists[1].items]

    def test_it_refuses_filters_of_another_number(self):
        with pytest.raises(ValueError, match="1 histories and 0 filters"):
            BLEND.recommend([history(TEA)], filter_user_items=[])

    def test_somebody_who_has_everything_gets_nothing(self):
        (proposals,) = BLEND.recommend([history(*range(7))])

        assert len(proposals.items) == 0
        assert proposals.families == ()

    def test_nobody_gets_no_lists(self):
        assert BLEND.recommend([]) == []

    def test_recency_decides_which_neighbour_comes_first(self):
        recent = recommender({ScorerConfig("item_item", 1.0): 1.0})

        first = recent.recommend([history(NAILS, TEA), history(TEA, NAILS)], 1)

        assert [proposals.items[0] for proposals in first] == [CAKE, HAMMER]


class TestSimilar:
    def test_lists_neighbours_only(self):
        proposals = BLEND.similar_items(TEA)

        assert proposals.items.tolist() == [CAKE]
        assert proposals.evidence.tolist() == [[TEA, -1]]

    def test_is_empty_for_an_item_nobody_chose(self):
        assert BLEND.similar_items(UNSOLD).items.tolist() == []

    def test_refuses_unknown_items(self):
        with pytest.raises(UnknownItem):
            BLEND.similar_items(7)


class TestPopular:
    def test_ranks_by_people_and_equal_counts_by_index(self):
        assert BLEND.popular_items(4).items.tolist() == [BREAD, CAKE, TEA, HAMMER]
