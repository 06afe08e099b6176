"""Service level indicators by one set of formulas, whichever source the series come from.

Shares are from 0 to 1, latencies in seconds; None stands where nothing was counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.series.families import QUEUE_AGE
from core.slo.matchers import compile_matchers
from core.slo.objectives import Burn, Objective, Objectives, seconds_of
from core.slo.percentiles import percentile
from core.slo.sources import MINUTE, Increase, Source, Window

WORST_MINUTES = 5
SERVER_ERRORS = 'status=~"5.."'
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Requests:
    """Valid requests, and the bad ones among them."""

    requests: float
    bad: float

    @property
    def good_share(self) -> float | None:
        """The share of good requests."""
        return None if self.requests <= 0 else 1.0 - self.bad / self.requests

    def burn(self, objective: Objective) -> float | None:
        """Bad requests as a multiple of what the objective allows: the burn rate."""
        return None if self.requests <= 0 else self.bad / self.requests / objective.budget


@dataclass(frozen=True, slots=True)
class BurnState:
    """A burn-rate alert at the end of the window. `alerting` is what its rule would say."""

    severity: str
    long: str
    short: str
    factor: float
    long_burn: float | None
    short_burn: float | None
    alerting: bool


@dataclass(frozen=True, slots=True)
class ObjectiveState:
    """An objective over the window, its burn rates, and the error budget of its own period."""

    name: str
    title: str
    target: float
    requests: float
    bad: float
    good_share: float | None
    met: bool | None
    burn: float | None
    burns: tuple[BurnState, ...]
    budget_days: int
    budget_requests: float
    budget_left: float | None


@dataclass(frozen=True, slots=True)
class Worst:
    """The five minutes with the highest share of server errors. `enough`: they had the minimum of requests."""

    start: int
    requests: float
    errors: float
    share: float
    enough: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of observations."""

    count: float
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation over the window."""

    route: str
    method: str
    requests: float
    errors: float
    latency: Latency


def requests_of(source: Source, objective: Objective, window: Window, *, step: int) -> dict[int, Requests]:
    """Valid and bad requests of an objective by step."""
    valid = matching(source.increases("requests", window, step=step), objective.requests)
    counted = _sum_by_step(valid)
    if objective.errors:
        bad = _sum_by_step(matching(valid, objective.errors))
    else:
        found = source.increases("requests", window, step=step, within=objective.seconds)
        fast = _sum_by_step(matching(found, objective.requests))
        bad = Counter({at: max(0.0, total - fast[at]) for at, total in counted.items()})
    return {at: Requests(total, bad[at]) for at, total in counted.items()}


def objective_state(source: Source, objective: Objective, objectives: Objectives, window: Window) -> ObjectiveState:
    """The objective over the window and at its end."""

    def last(seconds: int) -> Requests:
        found = requests_of(source, objective, Window(window.end - seconds, window.end), step=seconds)
        return found.get(window.end - seconds, Requests(0.0, 0.0))

    whole = last(window.end - window.start)
    budget = last(objectives.window_days * DAY)
    spent = budget.burn(objective)
    by_window = {name: last(seconds_of(name)) for name in objectives.windows}
    return ObjectiveState(
        name=objective.name,
        title=objective.title,
        target=objective.target,
        requests=whole.requests,
        bad=whole.bad,
        good_share=whole.good_share,
        met=None if whole.good_share is None else whole.good_share >= objective.target,
        burn=whole.burn(objective),
        burns=tuple(
            _burn(each, objective, by_window[each.long], by_window[each.short], objectives.minimum_requests)
            for each in objectives.burns
        ),
        budget_days=objectives.window_days,
        budget_requests=budget.requests,
        budget_left=None if spent is None else 1.0 - spent,
    )


def worst_minutes(
    counted: Iterable[Increase], *, valid: str, covered: Iterable[int], minimum_requests: int
) -> Worst | None:
    """The five minutes in a row with the highest share of server errors, of request counts by minute.

    Those with at least the minimum of requests come first: one error of three requests says little. Minutes without
    data are in none of them.
    """
    is_valid, is_error = compile_matchers(valid), compile_matchers(SERVER_ERRORS)
    requests, errors = Counter[int](), Counter[int]()
    for each in counted:
        if is_valid(each.labels):
            requests[each.at] += each.value  # type: ignore[assignment]
            errors[each.at] += each.value if is_error(each.labels) else 0.0  # type: ignore[assignment]
    known = set(covered)
    found = []
    for start in sorted(known):
        minutes = range(start, start + WORST_MINUTES * MINUTE, MINUTE)
        if all(minute in known for minute in minutes) and (total := sum(requests[minute] for minute in minutes)):
            bad = sum(errors[minute] for minute in minutes)
            found.append(Worst(start, total, bad, bad / total, total >= minimum_requests))
    return max(found, key=lambda each: (each.enough, each.share, each.requests), default=None)


def latency(observed: Iterable[Increase]) -> Latency:
    """Percentiles of all of these observations together."""
    by_bounds: dict[tuple[float, ...], list[float]] = {}
    for each in observed:
        known = by_bounds.setdefault(each.bounds, [0.0] * len(each.buckets))
        for place, count in enumerate(each.buckets):
            known[place] += count
    bounds, counts = _joined(by_bounds)
    return Latency(sum(counts), *(percentile(share, bounds, counts) for share in (0.5, 0.95, 0.99)))


def endpoints(observed: Sequence[Increase], *, valid: str) -> list[Endpoint]:
    """Each operation with its errors and percentiles; the busiest first."""
    is_valid, is_error = compile_matchers(valid), compile_matchers(SERVER_ERRORS)
    by_name: dict[tuple[str, str], list[Increase]] = defaultdict(list)
    for each in observed:
        if is_valid(each.labels):
            by_name[each.labels["route"], each.labels["method"]].append(each)
    found = [
        Endpoint(
            route,
            method,
            sum(each.value for each in rows),
            sum(each.value for each in rows if is_error(each.labels)),
            latency(rows),
        )
        for (route, method), rows in by_name.items()
    ]
    return sorted(found, key=lambda each: (-each.requests, each.route, each.method))


def matching(observed: Iterable[Increase], matchers: str) -> list[Increase]:
    """Those whose labels match."""
    holds = compile_matchers(matchers)
    return [each for each in observed if holds(each.labels)]


def sums_by(increases: Iterable[Increase], *labels: str) -> dict[tuple[str, ...], float]:
    """The sums by the values of these labels; the highest first."""
    found: Counter[tuple[str, ...]] = Counter()
    for each in increases:
        found[tuple(each.labels.get(name, "") for name in labels)] += each.value  # type: ignore[assignment]
    return dict(found.most_common())


def queue_ages(source: Source, window: Window, *, step: int) -> list[Increase]:
    """The highest age of each queue by step."""
    return list(source.peaks(QUEUE_AGE, window, step=step))


def _burn(burn: Burn, objective: Objective, long: Requests, short: Requests, minimum: int) -> BurnState:
    rates = (long.burn(objective), short.burn(objective))
    alerting = long.requests >= minimum and all(rate is not None and rate > burn.factor for rate in rates)
    return BurnState(burn.severity, burn.long, burn.short, burn.factor, *rates, alerting)


def _sum_by_step(increases: Iterable[Increase]) -> Counter[int]:
    found = Counter[int]()
    for each in increases:
        found[each.at] += each.value  # type: ignore[assignment]
    return found


def _joined(by_bounds: dict[tuple[float, ...], list[float]]) -> tuple[tuple[float, ...], list[float]]:
    """One histogram of several: with the bounds that all of them have."""
    if not by_bounds:
        return (), []
    common = tuple(sorted(set.intersection(*(set(bounds) for bounds in by_bounds))))
    counts = [0.0] * (len(common) + 1)
    for bounds, buckets in by_bounds.items():
        for place, count in enumerate(buckets):
            upper = bounds[place] if place < len(bounds) else float("inf")
            counts[next((at for at, bound in enumerate(common) if bound >= upper), len(common))] += count
    return common, counts
