"""Size of a drill: short in `.ci/run`, long in `make drills`."""

import os
from typing import Any, TypeVar

import pytest

Amount = TypeVar("Amount", int, float, list[int], list[str])

LONG = os.environ.get("DRILLS") == "long"


def sized(*, short: Amount, long: Amount) -> Amount:
    """The long amount under `make drills`, the short one everywhere else."""
    return long if LONG else short


def slow(*values: Any) -> list[Any]:
    """Cases that `make test` leaves to `make slow`."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
