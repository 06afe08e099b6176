"""Outcomes on their way into the service: of its own region, and of runners that it asks."""

import json
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from core.redis import RedisUnavailable
from workers.synthetic import storage
from workers.synthetic.api import CheckFailed, Service
from workers.synthetic.checks import CHECKS
from workers.synthetic.outcomes import Outcome
from workers.synthetic.runner import Target, run_round

_RUNNER_SECONDS = 5.0
_REACH_SECONDS = 7200.0
"""Outcomes older than a runner keeps need not be asked for."""
_log = structlog.get_logger(__name__)


def run_here() -> list[Outcome]:
    """Runs each check once as SYNTHETIC_REGION, counts and stores the outcomes."""
    target = Target(
        region=settings.SYNTHETIC_REGION,
        base_url=settings.SYNTHETIC_BASE_URL,
        client_id=settings.SYNTHETIC_CLIENT_ID,
        client_secret=settings.SYNTHETIC_CLIENT_SECRET,
    )
    outcomes = list(run_round(target))
    for each in outcomes:
        if each.error:
            _log.warning("synthetic_check_failed", region=each.region, check=each.check, error=each.error)
    try:
        storage.count(outcomes)
    except RedisUnavailable as error:
        _log.warning("synthetic_outcomes_not_counted", error=str(error))
    storage.keep(outcomes)
    return outcomes


def collect_all(*, now: datetime) -> None:
    """Stores what each of SYNTHETIC_RUNNERS has found since the last time; deletes outcomes past their days.

    A runner that does not answer is left for the next time: its alerts come from Prometheus.
    """
    for url in settings.SYNTHETIC_RUNNERS:
        try:
            storage.keep(_fetch(url, since=now.timestamp() - _REACH_SECONDS))
        except CheckFailed as error:
            _log.warning("synthetic_runner_not_asked", runner=url, error=str(error))
    storage.purge(now=now)


def _fetch(url: str, *, since: float) -> list[Outcome]:
    """The runner's outcomes after `since`.

    Raises: CheckFailed where it does not answer as a runner does.
    """
    service = Service(url, seconds=_RUNNER_SECONDS, agent="docent")
    found = service.expect(200, "GET", f"/outcomes?since={since}").json()
    try:
        return [_outcome(raw) for raw in found["outcomes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckFailed(f"its outcomes cannot be read: {json.dumps(str(error))}") from error


def _outcome(raw: dict[str, Any]) -> Outcome:
    if raw["check"] not in CHECKS:
        raise ValueError("a check of another version")
    return Outcome(
        region=str(raw["region"])[:32],
        check=str(raw["check"]),
        started_at=float(raw["started_at"]),
        seconds=float(raw["seconds"]),
        error=str(raw["error"]).replace("\0", "")[:500],
    )
