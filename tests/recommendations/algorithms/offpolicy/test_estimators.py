"""Estimates from simulated logs, against the truth that made them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recommendations.algorithms.offpolicy import estimators, propensities
from recommendations.algorithms.offpolicy.log import LoggedPage, build_log
from tests.recommendations.algorithms.offpolicy import simulated


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "rotating", [False, pytest.param(True, marks=pytest.mark.long)], ids=["a certain order", "another draw"]
)
def test_of_a_hundred_intervals_ninety_three_hold_the_truth(rotating):
    truth = simulated.truth(rotating=rotating)
    held, errors = np.zeros(2), []
    for seed in range(100):
        found = estimators.estimate(simulated.log(seed, rotating=rotating, people=300), seed=seed)
        both = (found.snips, found.doubly_robust)
        held += [each.low <= truth <= each.high for each in both]
        errors.append([each.value - truth for each in both])

    print(f"held by SNIPS and DR: {held}, mean error {np.mean(errors, axis=0)}, truth {truth:.4f}")
    assert (held >= 93).all(), held
    assert (np.abs(np.mean(errors, axis=0)) < 0.25 * np.std(errors, axis=0) + 0.01 * truth).all()


def test_the_measured_clicks_would_be_wrong_where_the_estimate_is_not():
    truth = simulated.truth(rotating=False, people=4_000)

    found = estimators.estimate(simulated.log(7, rotating=False, people=600))

    assert found.logged.high < 0.9 * truth
    assert found.snips.low <= truth <= found.snips.high
    assert found.doubly_robust.low <= truth <= found.doubly_robust.high
    assert found.snips_change.value == pytest.approx(found.snips.value - found.logged.value)


def test_the_law_that_logged_is_estimated_as_measured():
    draw, pages = np.random.default_rng(3), []
    for user in range(200):
        same = propensities.sampled(("a", "b", "c"), (3.0, 2.0, 1.0), 3)
        clicked = draw.random(3) < 0.3
        pages.append(LoggedPage(user, ("b", "a", "c"), clicked, np.ones(3), np.zeros(3), ("a", "b", "c"), same))

    log = build_log(pages)
    found, seen = estimators.estimate(log), estimators.measure_overlap(log)

    assert found.snips.value == pytest.approx(found.logged.value)
    assert (found.snips_change.low, found.snips_change.high) == pytest.approx((0, 0))
    assert (seen.pages, seen.people, seen.unsupported) == (200, 200, 0)
    assert seen.effective == pytest.approx(200)
    assert seen.effective_clicks == pytest.approx(seen.clicks)


def test_pages_of_one_person_are_not_taken_for_those_of_many():
    few = simulated.log(5, rotating=True, people=60)
    # The same pages told twice of the same users say no more than once.
    narrow = estimators.estimate(few).snips
    names = ("users", "page_weights", "present", "clicked", "weights", "unsupported", "items", "stretches")
    columns: dict[str, Any] = {name: np.concatenate([getattr(few, name)] * 2) for name in names}
    doubled = replace(few, **columns, targets=few.targets * 2)

    again = estimators.estimate(doubled).snips

    assert (again.value, again.low, again.high) == pytest.approx((narrow.value, narrow.low, narrow.high), abs=1e-9)


def test_a_page_that_stands_for_two_counts_twice():
    log = simulated.log(2, rotating=False, people=80)
    half = np.arange(len(log)) % 2 == 0
    weighted = replace(log, page_weights=np.where(half, 2.0, 1.0))

    found = estimators.estimate(weighted)

    clicks = log.clicked.sum(axis=1)
    assert found.logged.value == pytest.approx((clicks * weighted.page_weights).sum() / weighted.page_weights.sum())


def test_what_could_not_have_been_shown_is_counted_by_the_clicks_of_its_place():
    target = propensities.deterministic(("a", "z"), 2)
    pages = []
    for user in range(10):
        logged = propensities.deterministic(("a", "b"), 2)
        said = propensities.importance_weights(logged=logged, target=target, shown=("a", "b"))
        clicked = np.array([user < 8, False])
        pages.append(LoggedPage(user, ("a", "b"), clicked, said.weights, said.unsupported, ("a", "b"), target))

    assert estimators.measure_overlap(build_log(pages)).unsupported == pytest.approx(
        1 / 10
    )  # (0 + 1) of (8 + 1) + (0 + 1)


def test_nothing_is_said_of_an_empty_log():
    assert estimators.measure_overlap(build_log([])).pages == 0
