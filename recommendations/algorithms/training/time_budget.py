"""A training's time budget: which parts there is still time for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# The share of the budget that trials on the validation fold may begin in; the rest is for fitting on everything.
TRIALS = 0.4
# All of the data takes longer than the fold's past.
LONGER = 1.3


@dataclass(slots=True)
class Budget:
    """Seconds from its making on; 0 is no limit."""

    seconds: float
    timer: Callable[[], float]
    skipped: list[str] = field(default_factory=list)
    not_refitted: list[str] = field(default_factory=list)
    _started: float = 0.0
    _spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.timer()

    def may_try(self, name: str, *, always: bool) -> bool:
        """Whether to fit this part on the fold; notes what is left out."""
        return self._decide(name, self.skipped, always=always, enough=self._elapsed() <= TRIALS * self.seconds)

    def may_vary(self) -> bool:
        """Say whether there is time to try another value of a part's parameters; note nothing where there is not."""
        return not self.seconds or self._elapsed() <= TRIALS * self.seconds

    def may_fit(self, name: str, *, always: bool) -> bool:
        """Whether there is time to fit it on everything, by how long its trial took; notes what is not."""
        expected = self._elapsed() + LONGER * self._spent.get(name, 0.0)
        return self._decide(name, self.not_refitted, always=always, enough=expected <= self.seconds)

    def measured(self, name: str, since: float, *, times: int = 1) -> None:
        """Note how long one of so many trials took."""
        self._spent[name] = (self.timer() - since) / times

    def _elapsed(self) -> float:
        return self.timer() - self._started

    def _decide(self, name: str, noted: list[str], *, always: bool, enough: bool) -> bool:
        if always or enough or not self.seconds:
            return True
        noted.append(name)
        return False
