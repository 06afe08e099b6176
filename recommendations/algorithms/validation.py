"""Choose the blend on a fold cut out of the training data itself; test data never comes here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blend import Array, Choices, fit_weights
from recommendations.algorithms.dataset import Interactions
from recommendations.algorithms.evaluation.protocols import Protocol, Rows, split
from recommendations.algorithms.gate import Judgement, digest
from recommendations.algorithms.history import RankedHistory, histories_of
from recommendations.algorithms.options import TrainingOptions, Validation
from recommendations.algorithms.protocol import Fitted
from recommendations.algorithms.scoring import Read, read_scores

# The strongest items of each read that become a person's candidates.
CANDIDATES_PER_READ = 60
# Fewer people than this cannot tell good weights from lucky ones.
FEWEST_PEOPLE = 20
# Standard errors by which a single read must lead to be served alone.
CLEARLY = 2.0
# The split that cuts each kind of fold.
_SPLITS: Mapping[Validation, Protocol] = {"time": "global80", "last": "last10", "random": "rand10"}


@dataclass(frozen=True, eq=False)
class Fold:
    """A division of interactions: `past` trains, `future` judges. Ids and codes are those of the whole.

    `protocol` is the kind of the fold, time, last or random; `why` says in a sentence for staff what decided for it.
    """

    protocol: Validation
    past: Interactions
    future: Interactions
    why: str
    cuts: int = 1


@dataclass(frozen=True, eq=False)
class Basis:
    """Candidates of those judges that any read could hit.

    Attributes:
        names: (judges,) ids of all judges.
        hit: (people of the choices,) which of the judges they are.
        alone: (reads, people of the choices) NDCG@10 of each read.
        together: (people of the choices,) the same of the blend; empty when undecided.
    """

    protocol: str
    names: tuple[str, ...]
    choices: Choices
    hit: list[int]
    alone: Array
    together: Array

    def each(self, values: Array) -> Array:
        """Return (judges,) values: people whom no read could hit count as zero."""
        spread = np.zeros(len(self.names))
        spread[self.hit] = values
        return spread

    def judgement(self, values: Array) -> Judgement:
        """Return what these values of the people of the choices say to the gate."""
        return Judgement.of(self.names, self.each(values), self.protocol)


@dataclass(frozen=True, eq=False)
class Choice:
    """What the fold decided.

    Attributes:
        weights: (reads,) of the blend, sum 1; zeros when the fold is too small to decide.
        ndcg: (reads,) mean NDCG@10 of each read alone, ranking the candidates of all reads.
        blend_ndcg: the same for the blend; 0 when undecided.
        people: how many people judged.
        judgement: what the blend was worth to each of them.
        basis: what it was decided on.
    """

    weights: Array
    ndcg: Array
    blend_ndcg: float
    people: int
    judgement: Judgement
    basis: Basis


def make_fold(interactions: Interactions, options: TrainingOptions) -> Fold:
    """Cut the fold in canonical order with a fixed seed, so the same data always gives the same fold.

    A global cut in time that leaves too few people to judge gives way to each person's own last rows.
    """
    wanted, why = _wanted(interactions, options)
    rows = Rows(users=interactions.users, items=interactions.items, times=interactions.times)
    parts = split(rows, protocol=_SPLITS[wanted], seed=options.seed)
    fold = Fold(wanted, interactions.select(parts.train), interactions.select(parts.test), why)
    if wanted == "time" and (judges := len(_judges(fold, options))) < FEWEST_PEOPLE:
        why = f"A cut in time leaves {judges} people who could judge, and it takes {FEWEST_PEOPLE}."
        return replace(make_fold(interactions, replace(options, validation="last")), why=why)
    return fold


def _wanted(interactions: Interactions, options: TrainingOptions) -> tuple[Validation, str]:
    """Return the kind of fold that the options and the data ask for, and what decided."""
    if interactions.times is None:
        return "random", "The interactions have no times."
    if options.validation == "auto":
        return "last", "The interactions have times."
    return options.validation, "It was asked for."


def choose(fold: Fold, fitted: dict[str, Fitted], reads: Sequence[Read], options: TrainingOptions) -> Choice:
    """Fit blend weights to the fold; the best single read wins instead where it is clearly better.

    Clearly: its mean NDCG@10 is higher by more than two standard errors of the difference within people. A smaller
    lead is luck of picking the best of many.
    """
    judges = _judges(fold, options)
    choices, hit = _choices(fold, fitted, reads, judges)
    people = len(judges)
    names = tuple(fold.past.user_ids[person] for person in judges)
    none = np.empty(0)
    if len(hit) < FEWEST_PEOPLE:
        basis = Basis(fold.protocol, names, choices, hit, np.zeros((len(reads), len(hit))), none)
        return Choice(np.zeros(len(reads)), np.zeros(len(reads)), 0.0, people, Judgement.none(), basis)
    weights, alone, together = _weigh(choices, options)
    basis = Basis(fold.protocol, names, choices, hit, alone, together)
    mean = float(basis.each(together).mean())
    return Choice(weights, alone.sum(axis=1) / people, mean, people, basis.judgement(together), basis)


def cross_fitted(
    fold: Fold, fitted: dict[str, Fitted], reads: Sequence[Read], options: TrainingOptions
) -> Array | None:
    """Return (judges,) NDCG@10 of each judge with weights that the other half of them gave; None with too few."""
    judges = _judges(fold, options)
    choices, hit = _choices(fold, fitted, reads, judges)
    half = np.array(hit, dtype=np.int64) % 2
    halves = [np.flatnonzero(half == each) for each in (0, 1)]
    if min(len(each) for each in halves) < FEWEST_PEOPLE:
        return None
    found = np.zeros(len(judges))
    for own, others in (halves, halves[::-1]):
        weights, *_ = _weigh(choices.of_people(others), options)
        judged = choices.of_people(own)
        found[np.array(hit)[own]] = judged.ndcg(judged.features @ weights)
    return found


def _weigh(choices: Choices, options: TrainingOptions) -> tuple[Array, Array, Array]:
    """Return (reads,) weights, and (reads, people) and (people,) what each read alone and all together reach."""
    alone = np.stack([choices.ndcg(features) for features in choices.features.T])
    weights = fit_weights(choices, l1=options.l1, smallest_weight=options.smallest_weight)
    together = choices.ndcg(choices.features @ weights)
    best = int(alone.mean(axis=1).argmax())
    lead = alone[best] - together
    if lead.mean() > CLEARLY * lead.std(ddof=1) / np.sqrt(len(lead)):
        weights = np.zeros(len(alone))
        weights[best] = 1.0
        together = alone[best]
    return weights, alone, together


def _choices(
    fold: Fold, fitted: dict[str, Fitted], reads: Sequence[Read], judges: NDArray[np.int64]
) -> tuple[Choices, list[int]]:
    """Return candidates of the judges that have any hit among them, and which of the judges they are."""
    item_count = fold.past.item_count
    past, future = histories_of(fold.past), histories_of(fold.future)
    histories = [RankedHistory.of(past[person], item_count) for person in judges]
    scratch = np.zeros(item_count)
    features: list[Array] = []
    chosen: list[Array] = []
    items: list[NDArray[np.int64]] = []
    wanted: list[int] = []
    hits: list[int] = []
    for place, (person, history, scores) in enumerate(
        zip(judges, histories, read_scores(fitted, reads, histories, item_count), strict=True)
    ):
        strongest = [read.strongest(CANDIDATES_PER_READ, history.items) for read in scores]
        candidates = np.unique(np.concatenate(strongest))
        hit = np.isin(candidates, future[person].items).astype(np.float64)
        if not hit.any():
            continue
        features.append(np.stack([read.standardised(scratch, candidates) for read in scores], axis=1))
        chosen.append(hit)
        hits.append(place)
        items.append(candidates.astype(np.int64))
        wanted.append(len(future[person].items))
    sizes = np.array([len(part) for part in chosen], dtype=np.int64)
    return (
        Choices(
            features=np.concatenate([*features, np.empty((0, len(reads)))]),
            chosen=np.concatenate([*chosen, np.empty(0)]),
            starts=np.cumsum(sizes) - sizes,
            items=np.concatenate([*items, np.empty(0, dtype=np.int64)]),
            known=tuple(len(histories[place].items) for place in hits),
            wanted=tuple(wanted),
        ),
        hits,
    )


def _judges(fold: Fold, options: TrainingOptions) -> NDArray[np.int64]:
    """Return the people with something to predict and something to predict it from, at most as many as allowed.

    Of more, those with the smallest digests are taken: the same ones in the next training, which the gate compares.
    """
    predictable = np.intersect1d(np.unique(fold.future.users), np.unique(fold.past.users))
    if len(predictable) > options.validation_people:
        digests = np.array([digest(fold.past.user_ids[person]) for person in predictable], dtype=np.uint64)
        predictable = np.sort(predictable[np.argsort(digests)[: options.validation_people]])
    return predictable.astype(np.int64)
