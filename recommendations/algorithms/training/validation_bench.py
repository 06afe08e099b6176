"""Judges hyperparameters on one fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommendations.algorithms.blending.selection import MIN_USERS, cross_fitted_ndcg
from recommendations.algorithms.data.dataset import Array
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.models.protocol import Algorithm, Fitted
from recommendations.algorithms.training.hyperparameters import HALF_LIVES, configured_algorithms, with_parameters
from recommendations.algorithms.training.item_space import ItemSpace
from recommendations.algorithms.training.scorers import all_scorer_configs
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold


class TooFewUsers(ValueError):
    """Too few users have enough history to tell a better value from a lucky one."""


@dataclass
class ValidationBench:
    """A fold, and the algorithms that have been fitted on its past.

    Attributes:
        fitted: by algorithm name, a key of its hyperparameters and what was fitted on each part with them.
    """

    fold: Fold
    catalogue: Catalogue | None
    options: TrainingOptions
    fitted: dict[str, tuple[str, list[Fitted]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        items = ItemSpace.from_catalogue(self.fold.parts[0].past, self.catalogue, self.options)
        self._content = items.content_of_interactions()

    def ndcg(self, parameters: Mapping[str, float]) -> Array:
        """Return (users,) cross-fitted NDCG@10 of a blend with these hyperparameters.

        Raises:
            TooFewUsers: too few users can judge.
        """
        options = with_parameters(self.options, parameters)
        with_times = self.fold.parts[0].past.times is not None
        usable = [algorithm for algorithm in configured_algorithms(options) if self._applies(algorithm, options)]
        by_name = {algorithm.name: self._fit(algorithm, options) for algorithm in usable}
        fitted = [
            {name: parts[place] for name, parts in by_name.items()} | self._content for place in range(self.fold.cuts)
        ]
        scorers = all_scorer_configs(usable, self._content, with_times=with_times)
        ndcg = cross_fitted_ndcg(self.fold, fitted, scorers, options)
        if ndcg is None:
            raise TooFewUsers(
                f"fewer than {MIN_USERS} users have enough history to judge by: there is nothing to tune with"
            )
        return ndcg

    def matters(self, parameter: str) -> bool:
        """Return whether another value of this hyperparameter could change anything for this data."""
        past = self.fold.parts[0].past
        owner, _, _ = parameter.partition(".")
        if owner == HALF_LIVES:
            return past.times is not None
        algorithm = next((each for each in configured_algorithms(self.options) if each.name == owner), None)
        return algorithm is None or self._applies(algorithm, self.options)

    def _applies(self, algorithm: Algorithm, options: TrainingOptions) -> bool:
        return all(algorithm.applies_to(part.past, options) for part in self.fold.parts)

    def _fit(self, algorithm: Algorithm, options: TrainingOptions) -> list[Fitted]:
        """Return what was fitted on each past; half-lives do not change the fit, only how it is read."""
        key = repr({name: value for name, value in vars(algorithm).items() if name != HALF_LIVES})
        if self.fitted.get(algorithm.name, ("", []))[0] != key:
            self.fitted[algorithm.name] = (key, [algorithm.fit(part.past, options) for part in self.fold.parts])
        return self.fitted[algorithm.name][1]
