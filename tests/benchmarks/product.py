"""The lists that Docent would serve on a set: trained as a build trains, in a process of its own, so that its memory is
known."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recommendations.algorithms.data.event_values import EventValues
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions, Validation
from recommendations.algorithms.validation.splitting import Rows, split
from tests.benchmarks.baselines.table import Floats, Log
from tests.benchmarks.baselines.tuning import people_of_test
from tests.benchmarks.cases import CASES


@dataclass(frozen=True, eq=False)
class Served:
    """Attributes:
    ndcg, recall: (people,) NDCG@10 and Recall@20 of the people whom the baselines are judged on, in their order.
    chosen: what the training says of its choices.
    seconds: the training's.
    peak_mb: the most that the training took beyond what the process held before it.
    """

    ndcg: Floats
    recall: Floats
    chosen: dict[str, Any]
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Ask:
    """One training: the case by name, the seed, and what differs from the defaults."""

    case: str
    seed: int
    people: int
    validation: Validation = "auto"
    options: tuple[tuple[str, Any], ...] = ()


def pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that serve one training each."""
    fresh = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=jobs, mp_context=fresh, max_tasks_per_child=1)


def start(executor: ProcessPoolExecutor, ask: Ask) -> Future[Served]:
    """Begin a training."""
    return executor.submit(serve, ask)


def serve(ask: Ask) -> Served:
    """Train on the train part, and make the lists of the people of test."""
    case = CASES[ask.case]
    rows = case.make(ask.seed)
    parts = split(rows, protocol=case.protocol, seed=ask.seed)
    options = replace(TrainingOptions(validation=ask.validation), **dict(ask.options))
    begun = time.monotonic()
    data = HeldOutUsers.weighted_interactions(_said(rows), parts.train, options).interactions
    choosing = time.monotonic() - begun
    judges = _of(HeldOutUsers.from_rows(rows, parts.test, data, most=None, seed=0), data.user_ids, rows, ask)
    before = _memory_mb("VmRSS")
    # Linux then forgets the peak that reading the rows left.
    Path("/proc/self/clear_refs").write_text("5")
    begun = time.monotonic()
    artefact = train(data, options)
    seconds = time.monotonic() - begun + choosing
    peak = _memory_mb("VmHWM") - before
    values = judges.measure(artefact).values
    return Served(values["ndcg@10"], values["recall@20"], artefact.chosen, seconds, peak)


def _said(rows: Log) -> Rows:
    """Return the rows with what each is worth, as a tenant's events of one type have it."""
    if rows.amounts is None:
        return rows
    kinds = np.zeros(len(rows.users), dtype=np.int64)
    return Rows(
        rows.users, rows.items, rows.times, values=EventValues(kinds, rows.amounts.astype(np.float32), ("play",), {})
    )


def _of(judges: HeldOutUsers, user_ids: tuple[str, ...], rows: Log, ask: Ask) -> HeldOutUsers:
    """Return the judges in the order of the baselines' people."""
    parts = split(rows, protocol=CASES[ask.case].protocol, seed=ask.seed)
    place = {user_ids[person]: index for index, person in enumerate(judges.users) if person >= 0}
    chosen = [place[name] for name in people_of_test(rows, parts, seed=ask.seed, people=ask.people)]
    return replace(
        judges,
        users=tuple(judges.users[index] for index in chosen),
        relevant=tuple(judges.relevant[index] for index in chosen),
        histories=tuple(judges.histories[index] for index in chosen),
    )


def _memory_mb(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith(f"{what}:"))
    return int(size) / 1024
