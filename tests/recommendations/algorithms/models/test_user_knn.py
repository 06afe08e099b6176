"""Users who are alike, against cosines computed in the open."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.recency_weights import ranks_from_the_end
from recommendations.algorithms.models.user_knn import HALF_LIFE, MIN_SIMILARITY, similar_users
from tests.recommendations.algorithms.generated import DAY, checkerboard, interactions, random_rows


def found(data, **options):
    """By user's id: the others' ids and scores, most alike first."""
    return {
        data.user_ids[alike.person]: [
            (data.user_ids[other], score) for other, score in zip(alike.others.tolist(), alike.scores, strict=True)
        ]
        for alike in similar_users(data, **{"keep": 50, **options})
    }


def cosines(data):
    """All of them, densely, from the definition."""
    counts, starts = data.item_counts(), data.starts()
    matrix = np.zeros((data.user_count, data.item_count))
    for user in range(data.user_count):
        span = slice(starts[user], starts[user + 1])
        ranks = ranks_from_the_end(data.times[span])
        for item, rank, strength in zip(data.items[span], ranks - ranks.min(), data.row_strengths()[span], strict=True):
            if counts[item] > 1 and rank <= 8 * HALF_LIFE:
                matrix[user, item] = strength * 2 ** (-rank / HALF_LIFE) * np.log1p(data.user_count / counts[item])
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return matrix @ matrix.T


def rows(draw_from):
    one = st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz"), st.integers(0, 5).map(lambda day: day * DAY))
    return draw_from(one, min_size=1, max_size=40)


@given(rows(st.lists))
@settings(max_examples=60, deadline=None)
def test_scores_are_the_cosines_of_what_people_chose(drawn):
    data = interactions(drawn)
    expected, alike = cosines(data), found(data)

    assert set(alike) == {data.user_ids[code] for code in set(data.users.tolist())}
    for user, user_id in enumerate(data.user_ids):
        others = dict(alike.get(user_id, ()))
        assert user_id not in others
        for other, other_id in enumerate(data.user_ids):
            if other != user and expected[user, other] >= MIN_SIMILARITY + 1e-4:
                assert others[other_id] == pytest.approx(expected[user, other], abs=1e-4)
            elif other != user and expected[user, other] < MIN_SIMILARITY - 1e-4:
                assert other_id not in others


def test_those_who_like_the_same_kind_come_first():
    data, _ = checkerboard()

    for user_id, others in found(data, keep=5).items():
        assert len(others) == 5
        assert {int(other.lstrip("u")) % 2 for other, _ in others} == {int(user_id.lstrip("u")) % 2}


def test_does_not_depend_on_the_order_of_rows():
    drawn = random_rows()
    shuffled = [drawn[index] for index in np.random.default_rng(9).permutation(len(drawn))]

    assert found(interactions(drawn), keep=4, postings=6) == found(interactions(shuffled), keep=4, postings=6)


def test_the_best_of_more_are_kept_in_their_order():
    data = interactions(random_rows())
    all_users = found(data)

    for user_id, others in found(data, keep=3).items():
        assert others == all_users[user_id][:3]
        assert [score for _, score in others] == sorted((score for _, score in others), reverse=True)


def test_recent_and_rare_choices_count_more():
    old = [("a", f"filler{number}", number * DAY) for number in range(1, 30)]
    data = interactions(
        [("a", "early", 0.0), *old, ("a", "late", 40 * DAY)]
        + [("fan of early", "early", 0.0), ("fan of late", "late", 0.0), ("x", "filler1", 0.0)]
        + [(f"crowd{number}", "popular", 0.0) for number in range(9)]
        + [("a", "popular", 40 * DAY)]
    )
    names = [name for name, _ in found(data)["a"]]

    assert names.index("fan of late") < names.index("fan of early")
    assert names.index("fan of late") < names.index("crowd0")


def test_a_popular_item_proposes_a_bounded_number_of_people():
    crowd = [(f"u{number:03}", "popular", float(number)) for number in range(100)]
    near = found(interactions(crowd), postings=10)

    assert {len(others) for others in near.values()} == {9, 10}
    assert near["u099"][0] == ("u000", pytest.approx(1.0))


@pytest.mark.parametrize("drawn", [[("a", "x", 0.0)], [("a", "x", 0.0), ("b", "y", 0.0)]])
def test_nobody_is_like_somebody_with_whom_nothing_is_shared(drawn):
    assert set(map(len, found(interactions(drawn)).values())) == {0}


def test_without_times_nothing_is_old():
    data = interactions([("a", "x", 0.0), ("a", "y", DAY), ("b", "x", 0.0), ("b", "y", 0.0)])
    timeless = Interactions(data.users, data.items, None, data.user_ids, data.item_ids)

    assert found(timeless)["a"] == [("b", pytest.approx(1.0))]
