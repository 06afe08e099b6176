"""Parameters that a tenant may set, by name: `ease.l2`, `als.factors`, `half_lives`, `l1`.

`manage.py tune` looks for better values; a training takes them from TrainingOptions.parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from recommendations.algorithms.models.protocol import Algorithm
from recommendations.algorithms.models.registry import ALGORITHMS
from recommendations.algorithms.training_options import TrainingOptions

# Multiplies the half-lives that histories are read with.
HALF_LIVES = "half_lives"
# TrainingOptions.l1.
L1 = "l1"

# What every training tries besides the present values, each on its own fold
# (recommendations.algorithms.training.parameter_search): ways to go, step by step for as long as each is better than
# the last.
VARIANTS: MappingProxyType[str, tuple[tuple[Mapping[str, float], ...], ...]] = MappingProxyType(
    {
        "ease": (({"ease.l2": 150.0}, {"ease.l2": 75.0}), ({"ease.l2": 600.0}, {"ease.l2": 1_200.0})),
        "als": (({"als.l2": 3.0},), ({"als.l2": 30.0, "als.alpha": 10.0},)),
        "item_item": (({"item_item.shrinkage": 30.0},),),
    }
)


class UnknownParameter(ValueError):
    """No such parameter, or a value that it cannot have."""


@dataclass(frozen=True)
class Hyperparameter:
    """One thing to choose, its default, and the values that are tried, ascending; others between them are fine."""

    name: str
    default: float
    values: tuple[float, ...]

    @property
    def whole(self) -> bool:
        """Tell whether it is a count."""
        return isinstance(self.default, int)

    def validate(self, value: Any) -> float:
        """Return the value in its type.

        Raises:
            UnknownParameter: not a number, or far outside what makes sense.
        """
        try:
            number = int(value) if self.whole and float(value) == int(value) else float(value)
        except (TypeError, ValueError, OverflowError):
            raise UnknownParameter(f"{self.name} must be a number, not {value!r}") from None
        low, high = self.values[0] / 10, self.values[-1] * 10
        if (self.whole and not isinstance(number, int)) or not max(low, 1 if self.whole else 0) <= number <= high:
            kind = "a whole number" if self.whole else "a number"
            raise UnknownParameter(f"{self.name} must be {kind} from {max(low, 1 if self.whole else 0):g} to {high:g}")
        return number


def _of(algorithm: str, field: str, *values: float) -> Hyperparameter:
    return Hyperparameter(f"{algorithm}.{field}", getattr(ALGORITHMS[algorithm], field), values)


# In the order in which they are worth a try.
PARAMETERS: MappingProxyType[str, Hyperparameter] = MappingProxyType(
    {
        each.name: each
        for each in (
            Hyperparameter(HALF_LIVES, 1.0, (0.25, 0.5, 1.0, 2.0, 4.0)),
            _of("ease", "l2", 30.0, 100.0, 300.0, 1_000.0, 3_000.0),
            _of("past_to_next", "l2", 10.0, 30.0, 100.0, 300.0, 1_000.0),
            _of("als", "factors", 32, 64, 96, 144, 208),
            _of("als", "l2", 1.0, 3.0, 10.0, 30.0, 100.0),
            _of("als", "alpha", 1.0, 3.0, 10.0, 30.0),
            _of("item_item", "shrinkage", 0.0, 10.0, 30.0, 100.0),
            _of("graph_filter", "rank", 16, 32, 64, 128, 256),
            Hyperparameter(L1, TrainingOptions().l1, (0.0001, 0.0003, 0.001, 0.003, 0.01)),
            _of("past_to_next", "half_life", 2.0, 5.0, 10.0),
            _of("co_occurrence", "window", 2, 5, 10),
        )
    }
)


def validate_parameters(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Return the parameters that differ from their defaults, in their types.

    Raises:
        UnknownParameter: a name or a value that is none.
    """
    unknown = sorted(parameters.keys() - PARAMETERS.keys())
    if unknown:
        raise UnknownParameter(f"there is no parameter {unknown[0]!r}: choose from {', '.join(PARAMETERS)}")
    found = {name: PARAMETERS[name].validate(value) for name, value in sorted(parameters.items())}
    return {name: value for name, value in found.items() if value != PARAMETERS[name].default}


def configured_algorithms(options: TrainingOptions) -> list[Algorithm]:
    """Return every algorithm as these options want it."""
    scale = options.parameters.get(HALF_LIVES, 1.0)
    found: list[Algorithm] = []
    for name, algorithm in ALGORITHMS.items():
        own: dict[str, Any] = {
            key.partition(".")[2]: value
            for key, value in options.parameters.items()
            if key.partition(".")[0] == name and "." in key
        }
        if scale != 1.0 and algorithm.half_lives:
            own["half_lives"] = tuple(each * scale if np.isfinite(each) else each for each in algorithm.half_lives)
        found.append(replace(algorithm, **own) if own else algorithm)  # type: ignore[type-var]
    return found


def with_parameters(options: TrainingOptions, parameters: Mapping[str, Any]) -> TrainingOptions:
    """Return the options with these parameters in place of their own.

    Raises:
        UnknownParameter: a name or a value that is none.
    """
    own = validate_parameters(parameters)
    return replace(options, parameters=own, l1=own.get(L1, PARAMETERS[L1].default))
