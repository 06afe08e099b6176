"""The benchmark's own parts: a fault here would flatter, or slander, what is served."""

from dataclasses import replace

import numpy as np
import pytest

from recommendations.algorithms.metrics.ranking import user_metrics
from recommendations.algorithms.validation.splitting import split
from tests.benchmarks import cached
from tests.benchmarks.baselines.linear import EASE
from tests.benchmarks.baselines.rules import RULES
from tests.benchmarks.baselines.table import Table, tables
from tests.benchmarks.baselines.tuning import NAMES, Tuned, people_of_test, tune_all
from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.product import Ask, Served, serve
from tests.benchmarks.versus import Outcome
from tests.benchmarks.worlds import WORLDS, World, maker, simulate

SMALL = World(60, 80, tastes=4, rows=12, spread=0.3, session=3, following=0.5)


def table(people, items, seed=0):
    draw = np.random.default_rng(seed)
    rows = 12 * people
    return Table.of(
        draw.integers(0, people, rows), draw.integers(0, items, rows), np.arange(float(rows)), None, (people, items)
    )


@pytest.mark.parametrize(("people", "items"), [(70, 50), (50, 70)], ids=["fewer items", "fewer people"])
@pytest.mark.parametrize("half_life", [np.inf, 3.0])
def test_ease_is_the_closed_form_on_either_side(people, items, half_life):
    data = table(people, items)
    dense = data.matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + 50 * np.eye(items))
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)

    ((_, model),) = EASE.fit(data, {"values": ("none",), "l2": (50.0,), "half_life": (half_life,)})

    expected = data.history(half_life).toarray() @ weights
    np.testing.assert_allclose(model(np.arange(people)), expected, atol=1e-4)


def test_rules_count_nearer_steps_more_and_never_cross_people():
    data = Table.of(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 3]), np.arange(4.0), None, (2, 4))

    ((_, model),) = RULES.fit(data, {"steps": (2,), "power": (0.0,), "half_life": (1e-3,)})

    # Only the last row speaks: nothing follows item 2, and item 3 of the next person does not either.
    assert model(np.array([0])).max() == 0
    ((_, model),) = RULES.fit(data, {"steps": (2,), "power": (0.0,), "half_life": (np.inf,)})
    np.testing.assert_allclose(model(np.array([0])), [[0, 1, 1.5, 0]])


def test_ndcg_is_that_of_the_metrics_and_nobody_gets_what_they_have():
    rows = simulate(SMALL, 3)
    parts = split(rows, protocol="last10", seed=0)
    data, judged = tables(rows, parts)
    scores = np.random.default_rng(1).random((data.user_count, data.item_count))

    found = judged.ndcg(data, lambda people: scores[people])

    item_ids = np.unique(rows.items[parts.train].astype(str))
    for place, name in enumerate(people_of_test(rows, parts, seed=0, people=1_000)):
        own = set(rows.items[parts.train & (rows.users == name)])
        wanted = set(rows.items[parts.test & (rows.users == name)])
        ranked = [item for item in item_ids[np.argsort(-scores[judged.people[place]])] if item not in own]
        assert found[place] == pytest.approx(user_metrics(np.array(ranked), wanted)["ndcg@10"])


def test_every_family_is_tuned_and_those_that_need_times_stay_away_without():
    rows = simulate(SMALL, 3)

    timed = tune_all(rows, split(rows, protocol="last10", seed=0), protocol="last10", seed=0, people=50)
    bare = replace(rows, times=None)
    untimed = tune_all(bare, split(bare, protocol="rand10", seed=0), protocol="rand10", seed=0, people=50)

    assert [each.name for each in timed] == list(NAMES)
    assert {"EASE", "iALS", "RP3beta"} <= {each.name for each in untimed}
    assert not {"recent popularity", "next-item rules", "EASE, recent history"} & {each.name for each in untimed}
    assert {len(each.test) for each in timed} == {50}


def test_what_was_tuned_is_read_back_until_the_rows_are_others(tmp_path, monkeypatch):
    monkeypatch.setattr(cached, "FOLDER", tmp_path)
    case = Case("small", lambda seed: simulate(SMALL, seed), "last10")
    first = cached.baselines_of(case, case.make(3), seed=0, people=50, cached=True)
    monkeypatch.setattr(cached, "tune_all", lambda *_, **__: pytest.fail("tuned again"))

    again = cached.baselines_of(case, case.make(3), seed=0, people=50, cached=True)

    assert [(each.name, each.parameters) for each in again] == [(each.name, each.parameters) for each in first]
    np.testing.assert_array_equal(again[3].test, first[3].test)
    with pytest.raises(pytest.fail.Exception, match="tuned again"):
        cached.baselines_of(case, case.make(4), seed=0, people=50, cached=True)


@pytest.mark.slow
def test_the_product_is_judged_on_the_very_people(monkeypatch):
    """A person without anything to find, and a list that finds: the order of people must be the same on both sides."""
    case = Case("small", lambda seed: simulate(SMALL, seed), "last10")
    monkeypatch.setitem(CASES, "small", case)
    rows = case.make(0)
    parts = split(rows, protocol="last10", seed=0)

    served = serve(Ask("small", 0, 40))

    _, judged = tables(rows, parts)
    assert len(served.ndcg) == len(judged.some(40, 0).people) == 40
    # Recall@20 of a person is hits / wanted, so times wanted it is a whole number only for the right person.
    wanted = judged.some(40, 0).wanted
    np.testing.assert_allclose(served.recall * wanted, np.round(served.recall * wanted), atol=1e-9)


def outcome(served):
    tuned = [Tuned("popularity", {}, 0.0, np.full(200, 0.2), 0.0)]
    return Outcome(CASES["drift"], [tuned], [Served(served, served, {}, 0.0, 0.0)])


def test_a_loss_beyond_noise_is_told_from_luck():
    draw = np.random.default_rng(0)

    assert outcome(np.full(200, 0.1) + draw.normal(0, 0.05, 200)).lead().high < 0
    lucky = outcome(np.full(200, 0.2) + draw.normal(0, 0.5, 200)).lead()
    assert lucky.low < 0 < lucky.high


def small(name):
    """A world of few people."""
    return replace(WORLDS[name][0], people=150)


@pytest.mark.parametrize("name", ["bursts", "plays"])
def test_a_world_is_the_same_for_the_same_seed_and_another_for_another(name):
    first, again, other = (simulate(small(name), seed) for seed in (1, 1, 2))

    assert (first.items == again.items).all()
    assert len(first.items) != len(other.items) or (first.items != other.items).any()
    assert (first.times is None) == (not WORLDS[name][0].timed)


def test_a_seed_of_the_benchmark_draws_the_world_anew():
    assert len(maker("tiny")(0).items) != len(maker("tiny")(1).items)


def test_play_counts_have_a_heavy_tail():
    values = simulate(small("plays"), 1).amounts
    assert values is not None

    assert np.median(values) <= 5
    assert values.max() > 100


def test_absences_are_long_and_bursts_are_short():
    rows = simulate(small("absences"), 1)
    assert rows.times is not None
    order = np.lexsort((rows.times, rows.users))
    same = rows.users[order][1:] == rows.users[order][:-1]
    gaps = np.diff(rows.times[order])[same] / 86_400

    assert np.median(gaps) < 1
    assert np.quantile(gaps, 0.99) > 30
