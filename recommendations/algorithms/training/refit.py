"""The final fit: the algorithms that an artefact needs, on all interactions."""

from __future__ import annotations

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.protocol import Fitted, ItemMatrix
from recommendations.algorithms.training.blend import takes_part
from recommendations.algorithms.training.fold_decisions import FoldDecisions
from recommendations.algorithms.training.item_space import ItemSpace
from recommendations.algorithms.training.progress import Progress
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training.validation_fit import POPULARITY_FAMILIES


def refit(
    interactions: Interactions, decisions: FoldDecisions, items: ItemSpace, budget: TimeBudget, report: Progress
) -> dict[str, Fitted]:
    """Fit the wanted algorithms on all interactions; one that the budget does not allow serves as fitted on the fold.

    The matrices of the fold are released on the way, so that no algorithm is in memory twice.
    """
    search, wanted = decisions.search, decisions.wanted
    trial = {algorithm.name: search.fitted[0][algorithm.name] for algorithm in wanted}
    search.fitted.clear()
    fitted: dict[str, Fitted] = {}
    for index, algorithm in enumerate(wanted):
        name, part = algorithm.name, trial.pop(algorithm.name)
        if budget.may_fit(name, always=algorithm.family in POPULARITY_FAMILIES):
            report(f"fitting {name}", 0.6 + 0.4 * index / len(wanted))
            part = algorithm.fit(interactions, search.options)
        fitted[name] = items.expand(part)
    content = {name: ItemMatrix(matrix) for name, matrix in items.content.items() if takes_part(name, decisions.blend)}
    return fitted | content
