"""Size of tests: drills are short in `.ci/run` and long in `make drills`; of a matrix `make test` runs some cases."""

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

Amount = TypeVar("Amount", int, float, list[int], list[str])

LONG = os.environ.get("DRILLS") == "long"


def sized(*, short: Amount, long: Amount) -> Amount:
    """The long amount under `make drills`, the short one everywhere else."""
    return long if LONG else short


def some(cases: Iterable[Any], *, every: int = 4) -> list[Any]:
    """All cases of a matrix; `make test` runs the first of each `every`, `make slow` the others.

    A case of several arguments is a tuple.
    """
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow if number % every else ())
        for number, case in enumerate(cases)
    ]


def slow(*values: Any) -> list[Any]:
    """Cases that `make test` leaves to `make slow`."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
