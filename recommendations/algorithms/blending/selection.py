"""Selects the blend on a fold inside the training data; test data is never part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blending.weights import CandidateSets, fit_weights
from recommendations.algorithms.data.dataset import Array
from recommendations.algorithms.data.history import histories_of, rank_histories
from recommendations.algorithms.inference.candidate_scores import iter_candidates
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import Fitted
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold, FoldPart, select_validation_users
from recommendations.algorithms.validation.quality_gate import ValidationScores

# The strongest items of each scorer that become a user's candidates.
CANDIDATES_PER_SCORER = 60
# Fewer users cannot tell good weights from lucky ones.
MIN_USERS = 20
# The shares of the fitted blend that are tried, the rest being the best single scorer; the first of equals wins.
BLEND_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)


@dataclass(frozen=True, eq=False)
class ValidationCandidates:
    """The validation users, and candidates of those that any scorer has a hit for.

    Attributes:
        user_codes: for each part of the fold the codes of its validation users.
        user_names: (users,) ids of all of them.
        users_with_hits: (users of the sets,) their positions among all.
        scorer_ndcg: (scorers, users of the sets) NDCG@10 of each scorer alone.
        blend_ndcg: (users of the sets,) NDCG@10 of the blend; empty when undecided.
    """

    protocol: str
    user_codes: tuple[NDArray[np.int64], ...]
    user_names: tuple[str, ...]
    sets: CandidateSets
    users_with_hits: list[int]
    scorer_ndcg: Array
    blend_ndcg: Array

    def for_all_users(self, values: Array) -> Array:
        """Return (users,) values; users without hits have 0."""
        all_values = np.zeros(len(self.user_names))
        all_values[self.users_with_hits] = values
        return all_values

    def validation_scores(self, values: Array) -> ValidationScores:
        """Return these values of the users with hits as scores for the quality gate."""
        return ValidationScores.from_users(self.user_names, self.for_all_users(values), self.protocol)


@dataclass(frozen=True, eq=False)
class BlendSelection:
    """The blend that the fold selected.

    Attributes:
        weights: (scorers,) sum 1; zeros when the fold is too small to decide.
        ndcg: (scorers,) mean NDCG@10 of each scorer alone on the candidates of all.
        blend_ndcg: mean NDCG@10 of the blend; 0 when undecided.
        users: the number of validation users.
        validation_scores: NDCG@10 of the blend for each user.
    """

    weights: Array
    ndcg: Array
    blend_ndcg: float
    users: int
    validation_scores: ValidationScores
    candidates: ValidationCandidates


def select_blend(
    fold: Fold, fitted: Sequence[dict[str, Fitted]], scorers: Sequence[ScorerConfig], options: TrainingOptions
) -> BlendSelection:
    """Fit blend weights to the fold, between the best scorer alone and the blend of all.

    `fitted` holds, for each part of the fold, what was fitted on its past.
    """
    user_codes = tuple(select_validation_users(part, options) for part in fold.parts)
    sets, with_hits = _all_candidate_sets(fold, fitted, scorers, user_codes)
    users = sum(len(codes) for codes in user_codes)
    names = _user_names(fold, user_codes)
    none, zeros = np.empty(0), np.zeros(len(scorers))
    if len(with_hits) < MIN_USERS:
        undecided = np.zeros((len(scorers), len(with_hits)))
        candidates = ValidationCandidates(fold.protocol, user_codes, names, sets, with_hits, undecided, none)
        return BlendSelection(zeros, zeros, 0.0, users, ValidationScores.none(), candidates)
    weights, scorer_ndcg, blend_ndcg = _select_weights(sets, options)
    candidates = ValidationCandidates(fold.protocol, user_codes, names, sets, with_hits, scorer_ndcg, blend_ndcg)
    return BlendSelection(
        weights=weights,
        ndcg=scorer_ndcg.sum(axis=1) / users,
        blend_ndcg=float(candidates.for_all_users(blend_ndcg).mean()),
        users=users,
        validation_scores=candidates.validation_scores(blend_ndcg),
        candidates=candidates,
    )


def cross_fitted_ndcg(
    fold: Fold, fitted: Sequence[dict[str, Fitted]], scorers: Sequence[ScorerConfig], options: TrainingOptions
) -> Array | None:
    """Return (users,) NDCG@10 of each user with weights fitted on the other half of them; None with too few users."""
    user_codes = [select_validation_users(part, options) for part in fold.parts]
    sets, with_hits = _all_candidate_sets(fold, fitted, scorers, user_codes)
    half = np.array(with_hits, dtype=np.int64) % 2
    halves = [np.flatnonzero(half == parity) for parity in (0, 1)]
    if min(len(users) for users in halves) < MIN_USERS:
        return None
    ndcg = np.zeros(sum(len(codes) for codes in user_codes))
    for own, others in (halves, halves[::-1]):
        weights, *_ = _select_weights(sets.for_users(others), options)
        own_sets = sets.for_users(own)
        ndcg[np.array(with_hits)[own]] = own_sets.ndcg(own_sets.features @ weights)
    return ndcg


def _user_names(fold: Fold, user_codes: Sequence[NDArray[np.int64]]) -> tuple[str, ...]:
    """Return a name for each validation user; one in several parts of the fold has a name of its own in each."""
    return tuple(
        fold.parts[place].past.user_ids[user] + (f"\0{place}" if place else "")
        for place, users in enumerate(user_codes)
        for user in users
    )


def _all_candidate_sets(
    fold: Fold,
    fitted: Sequence[dict[str, Fitted]],
    scorers: Sequence[ScorerConfig],
    user_codes: Sequence[NDArray[np.int64]],
) -> tuple[CandidateSets, list[int]]:
    all_sets, with_hits, first = [], [], 0
    for part, fitted_on_part, users in zip(fold.parts, fitted, user_codes, strict=True):
        sets, own = _candidate_sets(part, fitted_on_part, scorers, users)
        all_sets.append(sets)
        with_hits += [first + place for place in own]
        first += len(users)
    return CandidateSets.concatenate(all_sets), with_hits


def _select_weights(sets: CandidateSets, options: TrainingOptions) -> tuple[Array, Array, Array]:
    """Return (scorers,) weights, and NDCG@10 of each scorer alone (scorers, users) and of the blend (users,).

    The loss that weights are fitted to covers whole lists and NDCG their heads, so the two can disagree about the
    weight of the best scorer: of the steps between it and the fitted blend the one with the highest NDCG is taken.
    """
    scorer_ndcg = np.stack([sets.ndcg(features) for features in sets.features.T])
    blend = fit_weights(sets, l1=options.l1, smallest_weight=options.smallest_weight)
    single = np.zeros(len(scorer_ndcg))
    single[int(scorer_ndcg.mean(axis=1).argmax())] = 1.0
    steps = [share * blend + (1.0 - share) * single for share in BLEND_SHARES if blend.any() or not share]
    ndcg = [sets.ndcg(sets.features @ weights) for weights in steps]
    best = int(np.argmax([values.mean() for values in ndcg]))
    kept = np.where(steps[best] >= options.smallest_weight, steps[best], 0.0)
    return kept / kept.sum(), scorer_ndcg, ndcg[best]


def _candidate_sets(
    part: FoldPart, fitted: dict[str, Fitted], scorers: Sequence[ScorerConfig], users: NDArray[np.int64]
) -> tuple[CandidateSets, list[int]]:
    """Return candidates of the users that have a hit among them, and the positions of these users."""
    item_count = part.past.item_count
    past, future = histories_of(part.past), histories_of(part.future)
    histories = rank_histories([past[user] for user in users], item_count)
    features: list[Array] = []
    chosen: list[Array] = []
    items: list[NDArray[np.int64]] = []
    relevant: list[int] = []
    with_hits: list[int] = []
    candidates = iter_candidates(fitted, scorers, histories, item_count, per_scorer=CANDIDATES_PER_SCORER)
    for place, (user, own) in enumerate(zip(users, candidates, strict=True)):
        hits = np.isin(own.items, future[user].items).astype(np.float64)
        if not hits.any():
            continue
        features.append(own.features)
        chosen.append(hits)
        with_hits.append(place)
        items.append(own.items)
        relevant.append(len(future[user].items))
    sizes = np.array([len(hits) for hits in chosen], dtype=np.int64)
    sets = CandidateSets(
        features=np.concatenate([*features, np.empty((0, len(scorers)))]),
        chosen=np.concatenate([*chosen, np.empty(0)]),
        starts=np.cumsum(sizes) - sizes,
        items=np.concatenate([*items, np.empty(0, dtype=np.int64)]),
        history_sizes=tuple(len(histories[place].items) for place in with_hits),
        relevant=tuple(relevant),
    )
    return sets, with_hits
