"""The results of tuned baselines, kept in files: the product changes, they do not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from recommendations.algorithms.validation.splitting import split
from tests.benchmarks.baselines.table import Log
from tests.benchmarks.baselines.tuning import Tuned, tune_all
from tests.benchmarks.cases import Case

FOLDER = Path(__file__).parents[2] / "var" / "bench" / "baselines"
_SOURCES = Path(__file__).parent / "baselines"


def baselines_of(case: Case, rows: Log, *, seed: int, people: int, cached: bool) -> list[Tuned]:
    """Tune and judge them, or read what an earlier run with the same rows and the same code of baselines wrote."""
    file = FOLDER / f"{case.name}-{seed}-{_digest(case, rows, people)}.npz"
    if cached and file.exists():
        return _read(file)
    parts = split(rows, protocol=case.protocol, seed=seed)
    found = tune_all(rows, parts, protocol=case.protocol, seed=seed, people=people)
    _write(file, found)
    return found


def _digest(case: Case, rows: Log, people: int) -> str:
    told = hashlib.sha256(f"{case.protocol} {people}".encode())
    for source in sorted(_SOURCES.glob("*.py")):
        told.update(source.read_bytes())
    for column in (rows.users, rows.items, rows.times, rows.amounts):
        told.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
    return told.hexdigest()[:16]


def _write(file: Path, found: list[Tuned]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    said = [
        {"name": each.name, "parameters": each.parameters, "fold": each.fold, "seconds": each.seconds} for each in found
    ]
    half_written = file.with_suffix(".part")
    with half_written.open("wb") as out:
        np.savez_compressed(out, said=json.dumps(said), test=np.stack([each.test for each in found]))
    half_written.replace(file)


def _read(file: Path) -> list[Tuned]:
    with np.load(file) as stored:
        said, test = json.loads(str(stored["said"])), stored["test"]
    return [Tuned(test=values, **each) for each, values in zip(said, test, strict=True)]
