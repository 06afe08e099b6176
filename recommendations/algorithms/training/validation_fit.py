"""The algorithms that take part in a training, fitted on the validation fold's past."""

from __future__ import annotations

from recommendations.algorithms.models.protocol import Algorithm
from recommendations.algorithms.training.hyperparameters import configured_algorithms, with_parameters
from recommendations.algorithms.training.parameter_search import HyperparameterSearch, SelectedHyperparameters
from recommendations.algorithms.training.progress import Progress
from recommendations.algorithms.training.scorers import scorer_configs

# Always fitted: they fill lists, and rank the most popular items.
POPULARITY_FAMILIES = frozenset({"popularity", "recent_popularity"})
# The item-to-item matrices that may answer "similar items", the better one first: EASE's ridge keeps rare items from
# being a perfect neighbour of everything, which a cosine does not.
SIMILAR_ITEM_MODELS = ("ease", "item_item")
# Slow with many items or users.
COSTLY = frozenset({"ease", "past_to_next", "graph_filter", "als"})


def fit_on_fold(
    search: HyperparameterSearch, known: SelectedHyperparameters | None, report: Progress, *, with_times: bool
) -> list[Algorithm]:
    """Fit every applicable algorithm on the fold, cheap ones first so that a short budget leaves out few.

    Hyperparameters are searched unless they are `known`. Returns the algorithms that were fitted.
    """
    options = search.options
    if known is not None:
        search.parameters |= {name: value for name, value in known.values.items() if name not in options.parameters}
    options = with_parameters(options, {**options.parameters, **search.parameters})
    usable = [
        algorithm
        for algorithm in configured_algorithms(options)
        if all(algorithm.applies_to(part.past, options) for part in search.fold.parts)
    ]
    for index, algorithm in enumerate(sorted(usable, key=lambda algorithm: algorithm.name in COSTLY)):
        if not search.budget.may_try(algorithm.name, always=_is_indispensable(algorithm)):
            continue
        report(f"validation: fitting {algorithm.name}", 0.5 * index / len(usable))
        search.fit(algorithm)
        if known is None:
            search.fit_parameters(algorithm.name, lambda algorithm: scorer_configs(algorithm, with_times=with_times))
    final = with_parameters(options, {**options.parameters, **search.parameters})
    return [algorithm for algorithm in configured_algorithms(final) if algorithm.name in search.fitted[0]]


def _is_indispensable(algorithm: Algorithm) -> bool:
    return algorithm.family in POPULARITY_FAMILIES or algorithm.name == SIMILAR_ITEM_MODELS[-1]
