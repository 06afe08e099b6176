"""Sequential comparison of proportions, with error bounds that hold at every analysis. Pure.

Mixture sequential probability ratio test of Johari, Koomen, Pekelis and Walsh, "Peeking at A/B Tests" (KDD 2017) and
"Always Valid Inference" (Operations Research 70, 2022). Two arms of n1 and n0 users with shares s1, s0:

    d = s1 - s0,   v = s1 (1 - s1) / n1 + s0 (1 - s0) / n0,   tau = EFFECT
    ratio = sqrt(v / (v + tau^2)) * exp(tau^2 d^2 / (2 v (v + tau^2)))
    p = min over all analyses of 1 / ratio
    interval = d +- sqrt(v (v + tau^2) / tau^2 * (2 ln(1 / alpha) + ln((v + tau^2) / v)))

Without an effect, the probability that p ever falls to alpha, over all analyses, is at most alpha. The normal
approximation behind v needs some successes: below MINIMUM_SUCCESSES in either arm nothing is decided.

Whether users arrive in the configured shares is monitored in the same way by the multinomial test of
Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022): a Dirichlet mixture around the
shares against the shares themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

EFFECT = 0.02
MINIMUM_SUCCESSES = 20
_CONCENTRATION = 1_000.0


@dataclass(frozen=True, slots=True)
class Share:
    """A number of users, and how many of them succeeded."""

    people: int
    successes: int

    @property
    def value(self) -> float:
        """The share of successes; 0 without users."""
        return self.successes / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against the control. The interval is simultaneously valid at all analyses; None: too few successes."""

    difference: float
    low: float | None
    high: float | None
    p: float


def compare(arm: Share, control: Share, *, alpha: float, before: float = 1.0, effect: float = EFFECT) -> Comparison:
    """The current comparison. `before` is the p of the last analysis: it never rises."""
    difference = arm.value - control.value
    if min(arm.successes, control.successes) < MINIMUM_SUCCESSES:
        return Comparison(difference, None, None, before)
    variance = sum(share.value * (1 - share.value) / share.people for share in (arm, control))
    if variance <= 0:  # all users of both succeeded
        return Comparison(difference, None, None, before)
    mixed = variance + effect**2
    log_ratio = 0.5 * math.log(variance / mixed) + (effect * difference) ** 2 / (2 * variance * mixed)
    half = math.sqrt(variance * mixed / effect**2 * (2 * math.log(1 / alpha) + math.log(mixed / variance)))
    return Comparison(difference, difference - half, difference + half, min(before, math.exp(min(0.0, -log_ratio))))


def ratio_p(counts: Sequence[int], shares: Sequence[float], *, before: float = 1.0) -> float:
    """The same kind of p for the hypothesis that users arrive in these shares, which add up to 1."""
    priors = [_CONCENTRATION * share for share in shares]
    total = sum(counts)
    log_ratio = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + total)
    for count, prior, share in zip(counts, priors, shares, strict=True):
        log_ratio += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return min(before, math.exp(min(0.0, -log_ratio)))
