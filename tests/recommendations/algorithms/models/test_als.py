import numpy as np
import pytest

from recommendations.algorithms.models import als
from recommendations.algorithms.models.als import ALS
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, tastes
from tests.recommendations.algorithms.suite import table

# Two groups of users who chose everything of their group.
GROUPS = interactions(
    [(f"u{user}", f"a{item}", 0.0) for user in range(6) for item in range(3)]
    + [(f"v{user}", f"b{item}", 0.0) for user in range(6) for item in range(3)]
)


@pytest.mark.parametrize("max_dense_people", [1, 1_000], ids=["iterative", "dense"])
def test_items_speak_alike_for_their_group_and_for_nothing_else(max_dense_people):
    options = TrainingOptions(threads=1, max_dense_people=max_dense_people)

    found = table(ALS(factors=2, l2=1.0).fit(GROUPS, options))

    expected = np.kron(np.eye(2), np.ones((3, 3)) - np.eye(3))
    assert found / found.max() == pytest.approx(expected, abs=2e-3)


def test_steps_aside_where_the_product_of_all_pairs_costs_too_much():
    data = interactions(tastes())

    assert ALS().applies_to(data, TrainingOptions())
    assert not ALS().applies_to(data, TrainingOptions(max_blocked_items=10))


def test_without_the_shared_library_it_does_not_apply(monkeypatch):
    monkeypatch.setattr(als, "_solver", lambda: None)

    assert not ALS().applies_to(interactions(tastes()), TrainingOptions())
    with pytest.raises(ValueError, match=r"libgomp\.so\.1"):
        ALS().fit(interactions(tastes()), TrainingOptions())
