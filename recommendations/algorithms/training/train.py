"""Train: choose how to blend on a fold inside the data, then fit everything on all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.blending.cold_item_slots import choose_slots
from recommendations.algorithms.blending.ranker_training import FEWEST_PEOPLE, SecondStage, learn
from recommendations.algorithms.blending.selection import Choice, choose
from recommendations.algorithms.data.dataset import Array, IntArray, Interactions, Matrix
from recommendations.algorithms.data.topk import spread
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.scoring import Read
from recommendations.algorithms.models.content import HALF_LIVES, TEXT, Catalogue, block_of
from recommendations.algorithms.models.protocol import Algorithm, FactorMatrix, Fitted, ItemMatrix, ItemVector
from recommendations.algorithms.training.hyperparameters import algorithms, with_parameters
from recommendations.algorithms.training.parameter_search import FittedParameters, Trials, empty
from recommendations.algorithms.training.time_budget import Budget
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, make_fold

__all__ = ["NothingToLearn", "Progress", "TrainingOptions", "train"]

# Called with a sentence and the share of the work done so far, 0 to 1.
Progress = Callable[[str, float], None]
# Always fitted: they fill lists, and answer "popular".
ALWAYS = frozenset({"popularity", "recent_popularity"})
# Able to answer "similar items", the better one first: the ridge of EASE keeps rare items from being everybody's
# perfect neighbour, which a cosine does not.
COMPARES_PAIRS = ("ease", "item_item")
# The share of the items that a matrix must know to answer for them.
MOST = 0.9
# What takes long where there are many items or people.
COSTLY = frozenset({"ease", "past_to_next", "graph_filter", "als"})
# Its name among what no time was left for.
SECOND_STAGE = "the second stage"
# What content weighs where the fold gave it nothing: more than what fills lists (recommender.FILL), and no more.
WHISPER = 1e-4
# Weights where the fold is too small to choose any: neighbours, with a little popularity for sparse histories.
UNDECIDED = {Read("item_item", np.inf): 0.8, Read("popularity", None): 0.2}


class NothingToLearn(ValueError):
    """There is no interaction at all; import events first."""


def train(
    interactions: Interactions,
    options: TrainingOptions,
    progress: Progress | None = None,
    *,
    catalogue: Catalogue | None = None,
    known: FittedParameters | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> Artefact:
    """Return the artefact of these interactions, and of the catalogue's items beside them.

    1. Cut a validation fold out of the interactions, in time where there are times.
    2. Fit every algorithm that applies, with its parameters, on what is left, and choose half-lives and blend weights
       on the fold. Content takes part as it is: it knows nothing of the fold. Parameters that are `known` from a
       training on nearly the same data are taken as they are.
    3. Fit the chosen ones again on everything.
    4. Give the catalogue's other items their places, with content as all that is known of them.

    How many places of a list are for items that nobody has chosen is decided on the fold.

    Where the time budget does not suffice for a trial, the part is left out; where it does not suffice to fit a part
    again, the part serves as it was fitted on the fold's past.

    Deterministic for equal arguments on one machine, unless the time budget runs out. Peak memory is that of one
    dense array within options.max_dense_items plus the sparse matrices.

    Raises:
        NothingToLearn: no interactions.
    """
    if not interactions.row_count:
        raise NothingToLearn("there are no interactions to learn from: import events first")
    report = progress or _silent
    budget = Budget(options.seconds, timer)
    with threadpool_limits(limits=options.threads):
        item_ids, places = all_items(interactions, catalogue)
        content = catalogue.matrices(item_ids, options) if catalogue else {}
        fold = make_fold(interactions, options)
        trials = empty(fold, options, budget, timer)
        for each in trials.fitted:
            each |= {name: ItemMatrix(block_of(matrix, places)) for name, matrix in content.items()}
        with_times = interactions.times is not None
        if known is None or not known.hold_for(fold, interactions.row_count):
            known = None
        usable = _tried(trials, known, report, with_times=with_times)
        reads = [read for algorithm in usable for read in reads_of(algorithm, with_times=with_times)]
        reads += [read for name in content for read in content_reads(name, with_times=with_times)]
        report("validation: choosing weights", 0.5)
        choice = choose(fold, trials.fitted, reads, options)
        trial = trials.fitted[0]
        blend = _with_content(_blend(reads, choice), reads, choice, content)
        stage = _second_stage(choice, reads, blend, trial["popularity"], options, budget)
        slots = choose_slots(fold, choice, interactions, places, content, list(blend), options)
        ease, neighbours = COMPARES_PAIRS
        knows = ease in trial and _knows_most(trial[ease], fold.parts[0].past)
        similar = ease if knows else neighbours
        fitted: dict[str, Fitted] = {}
        wanted = _wanted(usable, blend, similar)
        trial = {algorithm.name: trial[algorithm.name] for algorithm in wanted}
        for index, algorithm in enumerate(wanted):
            name, part = algorithm.name, trial.pop(algorithm.name)
            if budget.may_fit(name, always=algorithm.family in ALWAYS):
                report(f"fitting {name}", 0.6 + 0.4 * index / len(wanted))
                part = algorithm.fit(interactions, options)
            fitted[name] = _over_all(part, places, len(item_ids))
        fitted |= {name: ItemMatrix(matrix) for name, matrix in content.items() if _is_read(name, blend)}
    report("trained", 1.0)
    return Artefact(
        item_ids=item_ids,
        fitted=fitted,
        reads=tuple(blend),
        weights=np.array(list(blend.values())),
        chosen=_describe(fold, reads, choice, blend, similar)
        | {"cold": slots.said}
        | {"skipped": budget.skipped, "not_refitted": budget.not_refitted}
        | ({"parameters": dict(options.parameters)} if options.parameters else {})
        | {
            "fitted_parameters": {
                "values": trials.parameters,
                "fold": fold.protocol,
                "rows": known.rows if known else interactions.row_count,
            }
        }
        | ({"second_stage": stage.said} if stage.said else {}),
        judgement=choice.basis.judgement(stage.ndcg) if stage.text else choice.judgement,
        ranker=stage.text,
        cold=_cold(fitted, content, places, len(item_ids)),
        fit_from=slots.fit_from,
        texts=catalogue.text_index(item_ids, content[TEXT]) if catalogue and TEXT in content else None,
    )


def _tried(trials: Trials, known: FittedParameters | None, report: Progress, *, with_times: bool) -> list[Algorithm]:
    """Fit what applies on the fold, the cheap first: a short budget then leaves out few. Returns what was fitted."""
    options = trials.options
    if known is not None:
        trials.parameters |= {name: value for name, value in known.values.items() if name not in options.parameters}
    options = with_parameters(options, {**options.parameters, **trials.parameters})
    usable = [
        each for each in algorithms(options) if all(each.applies_to(part.past, options) for part in trials.fold.parts)
    ]
    for index, algorithm in enumerate(sorted(usable, key=lambda each: each.name in COSTLY)):
        if not trials.budget.may_try(algorithm.name, always=_always(algorithm)):
            continue
        report(f"validation: fitting {algorithm.name}", 0.5 * index / len(usable))
        trials.fit(algorithm)
        if known is None:
            trials.fit_parameters(algorithm.name, lambda each: reads_of(each, with_times=with_times))
    final = with_parameters(options, {**options.parameters, **trials.parameters})
    return [each for each in algorithms(final) if each.name in trials.fitted[0]]


def _always(algorithm: Algorithm) -> bool:
    return algorithm.family in ALWAYS or algorithm.name == COMPARES_PAIRS[-1]


def _knows_most(part: Fitted, interactions: Interactions) -> bool:
    """Say whether hardly any item that somebody chose is without a word about others; neighbours know all there are."""
    if isinstance(part, ItemVector):
        return False
    chosen = np.flatnonzero(interactions.item_counts())
    if isinstance(part, FactorMatrix):
        speaks = np.any(part.vectors[chosen], axis=1)
    else:
        speaks = np.diff(part.values.indptr)[chosen] > 0
    return bool(speaks.mean() > MOST)


def _wanted(usable: list[Algorithm], blend: dict[Read, float], similar: str) -> list[Algorithm]:
    """Return what is to be fitted on everything, what weighs most first: it comes before the time runs out."""
    weight: dict[str, float] = {}
    for read, share in blend.items():
        weight[read.algorithm] = weight.get(read.algorithm, 0.0) + share
    wanted = [a for a in usable if a.family in ALWAYS or a.name == similar or a.name in weight]
    return sorted(wanted, key=lambda a: (a.family not in ALWAYS, -weight.get(a.name, 0.0)))


def _second_stage(
    choice: Choice,
    reads: list[Read],
    blend: dict[Read, float],
    popularity: Fitted,
    options: TrainingOptions,
    budget: Budget,
) -> SecondStage:
    """Return the second stage, or why there is none."""
    if options.ranker == "none":
        return SecondStage.none()
    if choice.people < FEWEST_PEOPLE or not choice.weights.any():
        return SecondStage.none(f"{choice.people} people judge, and it takes {FEWEST_PEOPLE}")
    if choice.basis.protocol == "time":
        # What is to come is another crowd's choice than the one that the fold would teach.
        return SecondStage.none("one moment divides everybody's past and future")
    if not lightgbm_ranker.is_usable():
        return SecondStage.none("lightgbm cannot be loaded")
    if not budget.may_try(SECOND_STAGE, always=False):
        return SecondStage.none("no time was left")
    assert isinstance(popularity, ItemVector)
    columns = [reads.index(read) for read in blend]
    weights = np.array(list(blend.values()))
    return learn(choice.basis.choices, columns, weights, popularity.values, choice.basis.together, options)


def content_reads(name: str, *, with_times: bool) -> list[Read]:
    """Return every way a content matrix may be read."""
    return [Read(name, half_life) for half_life in (HALF_LIVES if with_times else (np.inf,))]


def all_items(interactions: Interactions, catalogue: Catalogue | None) -> tuple[tuple[str, ...], IntArray]:
    """Return the ids of all items, sorted, and where those of the interactions stand among them."""
    if catalogue is None:
        return interactions.item_ids, np.arange(interactions.item_count, dtype=np.int32)
    item_ids = tuple(sorted({*interactions.item_ids, *catalogue.item_ids}))
    place = {item_id: index for index, item_id in enumerate(item_ids)}
    return item_ids, np.array([place[item_id] for item_id in interactions.item_ids], dtype=np.int32)


def _over_all(fitted: Fitted, places: IntArray, count: int) -> Fitted:
    """Return what was fitted on the items at these places as a part over all items."""
    if len(places) == count:
        return fitted
    if isinstance(fitted, FactorMatrix):
        return fitted.spread(places, count)
    if isinstance(fitted, ItemMatrix):
        return ItemMatrix(spread(fitted.values, places, count))
    values = np.zeros(count, dtype=np.float32)
    values[places] = fitted.values
    return ItemVector(values)


def _with_content(
    blend: dict[Read, float], reads: list[Read], choice: Choice, content: Mapping[str, Matrix]
) -> dict[Read, float]:
    """Return the blend with a word for each content that earned none: too quiet to matter where anything else
    speaks, and all there is for items that nobody has chosen."""
    heard = dict(blend)
    for name in content:
        if not _is_read(name, blend):
            candidates = [place for place, read in enumerate(reads) if read.algorithm == name]
            best = max(candidates, key=lambda place: float(choice.ndcg[place]))
            heard[reads[best]] = WHISPER
    return heard


def _is_read(name: str, blend: dict[Read, float]) -> bool:
    return any(read.algorithm == name for read in blend)


def _cold(fitted: dict[str, Fitted], content: Mapping[str, Matrix], places: IntArray, count: int) -> IntArray:
    """Return the items without interactions that content can propose."""
    known = np.zeros(count, dtype=bool)
    for name in content:
        part = fitted.get(name)
        if isinstance(part, ItemMatrix):
            known[part.values.indices] = True
    known[places] = False
    return np.flatnonzero(known).astype(np.int32)


def reads_of(algorithm: Algorithm, *, with_times: bool = True) -> list[Read]:
    """Return every way this algorithm may be read; without times a history has no recent part."""
    if not algorithm.half_lives:
        return [Read(algorithm.name, None)]
    half_lives = algorithm.half_lives if with_times else (np.inf,)
    return [Read(algorithm.name, half_life) for half_life in half_lives]


def _silent(_message: str, _share: float) -> None:
    """Report nothing."""


def _blend(reads: list[Read], choice: Choice) -> dict[Read, float]:
    weights: Array = choice.weights
    blend = {read: float(weight) for read, weight in zip(reads, weights, strict=True) if weight > 0}
    return blend or dict(UNDECIDED)


def _describe(fold: Fold, reads: list[Read], choice: Choice, blend: dict[Read, float], similar: str) -> dict[str, Any]:
    return {
        "validation": {"fold": fold.protocol, "why": fold.why, "cuts": fold.cuts, "people": choice.people},
        "validation_people": choice.people,
        "decided": bool(choice.weights.any()),
        "weights": {read.label: round(weight, 6) for read, weight in blend.items()},
        "validation_ndcg@10": {
            **{read.label: round(float(ndcg), 6) for read, ndcg in zip(reads, choice.ndcg, strict=True)},
            "blend": round(choice.blend_ndcg, 6),
        },
        "similar_from": similar,
    }
