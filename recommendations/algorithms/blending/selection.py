"""Choose the blend on a fold cut out of the training data itself; test data never comes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blending.weights import Choices, fit_weights
from recommendations.algorithms.data.dataset import Array
from recommendations.algorithms.data.history import RankedHistory, histories_of
from recommendations.algorithms.inference.scoring import Read, candidates
from recommendations.algorithms.models.protocol import Fitted
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, Part, judges_of
from recommendations.algorithms.validation.quality_gate import Judgement

# The strongest items of each read that become a person's candidates.
CANDIDATES_PER_READ = 60
# Fewer people than this cannot tell good weights from lucky ones.
FEWEST_PEOPLE = 20
# How much of the fitted blend there is in what is tried, the rest being the best single read; the first of equals wins.
SHARES_OF_BLEND = (1.0, 0.75, 0.5, 0.25, 0.0)


@dataclass(frozen=True, eq=False)
class Basis:
    """Candidates of those judges that any read could hit.

    Attributes:
        judges: for each part of the fold the codes of those who judge there.
        names: (judges,) ids of all judges.
        hit: (people of the choices,) which of the judges they are.
        alone: (reads, people of the choices) NDCG@10 of each read.
        together: (people of the choices,) the same of the blend; empty when undecided.
    """

    protocol: str
    judges: tuple[NDArray[np.int64], ...]
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


def choose(fold: Fold, fitted: Sequence[dict[str, Fitted]], reads: Sequence[Read], options: TrainingOptions) -> Choice:
    """Fit blend weights to the fold, from the best single read alone to the blend of all.

    `fitted` holds, for each part of the fold, what was fitted on its past.
    """
    judges = [judges_of(part, options) for part in fold.parts]
    choices, hit = _choices_of_all(fold, fitted, reads, judges)
    people = sum(len(each) for each in judges)
    names = _names(fold, judges)
    none = np.empty(0)
    if len(hit) < FEWEST_PEOPLE:
        basis = Basis(fold.protocol, tuple(judges), names, choices, hit, np.zeros((len(reads), len(hit))), none)
        return Choice(np.zeros(len(reads)), np.zeros(len(reads)), 0.0, people, Judgement.none(), basis)
    weights, alone, together = _weigh(choices, options)
    basis = Basis(fold.protocol, tuple(judges), names, choices, hit, alone, together)
    mean = float(basis.each(together).mean())
    return Choice(weights, alone.sum(axis=1) / people, mean, people, basis.judgement(together), basis)


def cross_fitted(
    fold: Fold, fitted: Sequence[dict[str, Fitted]], reads: Sequence[Read], options: TrainingOptions
) -> Array | None:
    """Return (judges,) NDCG@10 of each judge with weights that the other half of them gave; None with too few."""
    judges = [judges_of(part, options) for part in fold.parts]
    choices, hit = _choices_of_all(fold, fitted, reads, judges)
    half = np.array(hit, dtype=np.int64) % 2
    halves = [np.flatnonzero(half == each) for each in (0, 1)]
    if min(len(each) for each in halves) < FEWEST_PEOPLE:
        return None
    found = np.zeros(sum(len(each) for each in judges))
    for own, others in (halves, halves[::-1]):
        weights, *_ = _weigh(choices.of_people(others), options)
        judged = choices.of_people(own)
        found[np.array(hit)[own]] = judged.ndcg(judged.features @ weights)
    return found


def _names(fold: Fold, judges: Sequence[NDArray[np.int64]]) -> tuple[str, ...]:
    """Return a name for each judge: somebody who judges at several cuts is somebody else at each of them."""
    return tuple(
        fold.parts[place].past.user_ids[person] + (f"\0{place}" if place else "")
        for place, people in enumerate(judges)
        for person in people
    )


def _choices_of_all(
    fold: Fold, fitted: Sequence[dict[str, Fitted]], reads: Sequence[Read], judges: Sequence[NDArray[np.int64]]
) -> tuple[Choices, list[int]]:
    found, hits, first = [], [], 0
    for part, own, people in zip(fold.parts, fitted, judges, strict=True):
        choices, hit = _choices(part, own, reads, people)
        found.append(choices)
        hits += [first + place for place in hit]
        first += len(people)
    return Choices.together(found), hits


def _weigh(choices: Choices, options: TrainingOptions) -> tuple[Array, Array, Array]:
    """Return (reads,) weights, and (reads, people) and (people,) what each read alone and all together reach.

    The loss that weights are fitted to looks at whole lists and NDCG at their heads, and the two can disagree about
    how far to trust the best read: of the steps between it and the fitted blend the one with the highest NDCG is taken.
    """
    alone = np.stack([choices.ndcg(features) for features in choices.features.T])
    blend = fit_weights(choices, l1=options.l1, smallest_weight=options.smallest_weight)
    single = np.zeros(len(alone))
    single[int(alone.mean(axis=1).argmax())] = 1.0
    steps = [share * blend + (1.0 - share) * single for share in SHARES_OF_BLEND if blend.any() or not share]
    reached = [choices.ndcg(choices.features @ weights) for weights in steps]
    best = int(np.argmax([each.mean() for each in reached]))
    kept = np.where(steps[best] >= options.smallest_weight, steps[best], 0.0)
    return kept / kept.sum(), alone, reached[best]


def _choices(
    part: Part, fitted: dict[str, Fitted], reads: Sequence[Read], judges: NDArray[np.int64]
) -> tuple[Choices, list[int]]:
    """Return candidates of the judges that have any hit among them, and which of the judges they are."""
    item_count = part.past.item_count
    past, future = histories_of(part.past), histories_of(part.future)
    histories = [RankedHistory.of(past[person], item_count) for person in judges]
    features: list[Array] = []
    chosen: list[Array] = []
    items: list[NDArray[np.int64]] = []
    wanted: list[int] = []
    hits: list[int] = []
    found = candidates(fitted, reads, histories, item_count, each=CANDIDATES_PER_READ)
    for place, (person, each) in enumerate(zip(judges, found, strict=True)):
        hit = np.isin(each.items, future[person].items).astype(np.float64)
        if not hit.any():
            continue
        features.append(each.features)
        chosen.append(hit)
        hits.append(place)
        items.append(each.items)
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
