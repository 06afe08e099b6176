"""The objectives of config/slo.toml and the alerts of config/alerts.toml."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_DURATION = re.compile(r"[1-9][0-9]*[smhd]\Z")
SEVERITIES = ("page", "ticket")
T = TypeVar("T")


class InvalidRules(ValueError):
    """The file cannot be used; the message names the entry, the fault and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective: the share `target` of the requests is to be good.

    `requests` selects the valid requests, as label matchers of PromQL. Bad ones either match `errors`, or take longer
    than `seconds`, which must be a bucket bound of the histogram.
    """

    name: str
    title: str
    target: float
    requests: str
    errors: str = ""
    seconds: float = 0.0

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        return round(1.0 - self.target, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """An alert where both windows use up the budget `factor` times as fast as the objective's window allows."""

    severity: str
    long: str
    short: str
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """All of config/slo.toml."""

    window_days: int
    minimum_requests: int
    objectives: tuple[Objective, ...]
    burns: tuple[Burn, ...]

    @property
    def windows(self) -> tuple[str, ...]:
        """Every window of the burns, the shortest first."""
        return tuple(sorted({window for burn in self.burns for window in (burn.long, burn.short)}, key=seconds_of))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert on a symptom or cause beside the objectives. `expr` contains {threshold}; `hold` is the rule's `for`."""

    name: str
    severity: str
    expr: str
    threshold: float
    summary: str
    hold: str = "0s"


def load_objectives(path: Path) -> Objectives:
    """Reads objectives and burns.

    Raises: InvalidRules, OSError.
    """
    raw = _read(path)
    objectives = tuple(_entry(Objective, each, "objective") for each in raw.get("objective", ()))
    burns = tuple(_entry(Burn, each, "burn") for each in raw.get("burn", ()))
    for objective in objectives:
        where = f"objective {objective.name}"
        _require(0.5 <= objective.target < 1, where, "target is a share of at least 0.5 and below 1, such as 0.999")
        _require(bool(objective.errors) != bool(objective.seconds), where, "give either errors or seconds")
    for burn in burns:
        where = f"burn {burn.long}/{burn.short}"
        _require(burn.severity in SEVERITIES, where, f"severity is one of {', '.join(SEVERITIES)}")
        _require(all(_DURATION.match(each) for each in (burn.long, burn.short)), where, "windows are like 30m or 6h")
        _require(seconds_of(burn.short) < seconds_of(burn.long), where, "short is shorter than long")
        _require(burn.factor > 0, where, "factor is above 0")
    _require(bool(objectives) and bool(burns), path.name, "there is at least one objective and one burn")
    _unique([each.name for each in objectives], "objective")
    window_days = _whole(raw, "window_days", path.name, least=1)
    minimum = _whole(raw, "minimum_requests", path.name, least=0)
    return Objectives(window_days=window_days, minimum_requests=minimum, objectives=objectives, burns=burns)


def load_alerts(path: Path) -> tuple[Alert, ...]:
    """Reads the alerts beside the burn rates.

    Raises: InvalidRules, OSError.
    """
    alerts = tuple(_entry(Alert, each, "alert") for each in _read(path).get("alert", ()))
    for alert in alerts:
        where = f"alert {alert.name}"
        _require(alert.severity in SEVERITIES, where, f"severity is one of {', '.join(SEVERITIES)}")
        _require("{threshold}" in alert.expr, where, "expr contains {threshold}")
        _require(alert.hold == "0s" or bool(_DURATION.match(alert.hold)), where, "hold is like 5m")
    _unique([each.name for each in alerts], "alert")
    return alerts


def seconds_of(duration: str) -> int:
    """The seconds of a duration such as 30m."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[duration[-1]]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidRules(f"{path.name} is not TOML: {error}") from error


def _entry(kind: type[T], raw: Mapping[str, Any], what: str) -> T:
    where = f"{what} {raw.get('name', '')}".strip()
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(raw.keys() - known.keys())
    _require(not unknown, where, f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        entry = kind(**{name: float(value) if isinstance(value, int) else value for name, value in raw.items()})
    except TypeError as error:
        raise InvalidRules(f"{where}: {error}") from error
    if "name" in known:
        _require(bool(_NAME.match(str(raw["name"]))), where, "name consists of letters, digits and underscores")
    return entry


def _whole(raw: Mapping[str, Any], name: str, where: str, *, least: int) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or value < least:
        raise InvalidRules(f"{where}: {name} is a whole number of at least {least}")
    return value


def _unique(names: Sequence[str], what: str) -> None:
    double = sorted({name for name in names if names.count(name) > 1})
    _require(not double, what, f"{', '.join(double)} is there twice")


def _require(holds: bool, where: str, fault: str) -> None:
    if not holds:
        raise InvalidRules(f"{where}: {fault}")
