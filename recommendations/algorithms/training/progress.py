"""Progress reports of trainings and searches."""

from __future__ import annotations

from collections.abc import Callable

# Called with a sentence and the share of the work done so far, 0 to 1.
Progress = Callable[[str, float], None]


def ignore_progress(_message: str, _share: float) -> None:
    """Report nothing."""
