"""A training's time budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# The share of the budget within which trials on the validation fold may begin; the rest is for the final fit.
TRIAL_SHARE = 0.4
# A fit on all interactions takes longer than one on the fold's past.
FINAL_FIT_FACTOR = 1.3


@dataclass(slots=True)
class TimeBudget:
    """Seconds from its creation; 0 is no limit.

    Attributes:
        skipped: names that the budget left out on the fold.
        not_refitted: names that it did not allow to fit again.
    """

    seconds: float
    timer: Callable[[], float]
    skipped: list[str] = field(default_factory=list)
    not_refitted: list[str] = field(default_factory=list)
    _started: float = 0.0
    _durations: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.timer()

    def may_try(self, name: str, *, always: bool) -> bool:
        """Return whether to fit this on the fold; records it as skipped if not."""
        return self._decide(name, self.skipped, always=always, enough=self._elapsed() <= TRIAL_SHARE * self.seconds)

    def may_vary(self) -> bool:
        """Return whether there is time to try another value of a hyperparameter; records nothing."""
        return not self.seconds or self._elapsed() <= TRIAL_SHARE * self.seconds

    def may_fit(self, name: str, *, always: bool) -> bool:
        """Return whether a final fit is likely to end in time, by the duration of its trial; records it if not."""
        expected = self._elapsed() + FINAL_FIT_FACTOR * self._durations.get(name, 0.0)
        return self._decide(name, self.not_refitted, always=always, enough=expected <= self.seconds)

    def record(self, name: str, since: float, *, times: int = 1) -> None:
        """Record the mean duration of `times` trials that began at `since`."""
        self._durations[name] = (self.timer() - since) / times

    def _elapsed(self) -> float:
        return self.timer() - self._started

    def _decide(self, name: str, declined: list[str], *, always: bool, enough: bool) -> bool:
        if always or enough or not self.seconds:
            return True
        declined.append(name)
        return False
