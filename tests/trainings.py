"""Trainings are pure: equal arguments give equal artefacts. So tests of what is done with one learn each only once.

Shared by all processes of a run. Tests of the training itself call it where it is defined, and are not concerned.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.training.parameter_search import SelectedHyperparameters
from recommendations.algorithms.training.train import train as _learn
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.pipeline.builds import train as step


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Builds take an artefact that has been learnt in this run where there is one in the folder."""
    folder.mkdir(exist_ok=True)
    with _builds_learn_with(partial(_once, folder)):
        yield


@contextmanager
def anew() -> Iterator[None]:
    """Builds learn, as where something is changed that a training's arguments do not tell."""
    with _builds_learn_with(_learn):
        yield


@contextmanager
def _builds_learn_with(train: Any) -> Iterator[None]:
    with mock.patch.object(step, "train", train):
        yield


def _once(
    folder: Path,
    interactions: Interactions,
    options: TrainingOptions,
    progress: Callable[[str, float], None] | None = None,
    *,
    catalogue: Catalogue | None = None,
    known: SelectedHyperparameters | None = None,
) -> Artefact:
    file = folder / _digest(interactions, options, catalogue, known)
    if file.exists():
        if progress:
            progress("trained", 1.0)
        found: Artefact = pickle.loads(file.read_bytes())  # written below
        return found
    learnt = _learn(interactions, options, progress, catalogue=catalogue, known=known)
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(pickle.dumps(learnt))
    unfinished.rename(file)
    return learnt


def _digest(
    interactions: Interactions,
    options: TrainingOptions,
    catalogue: Catalogue | None,
    known: SelectedHyperparameters | None,
) -> str:
    digest = hashlib.sha256(repr((options, known, interactions.user_ids, interactions.item_ids)).encode())
    for column in (interactions.users, interactions.items, interactions.times, interactions.strengths):
        digest.update(b"none" if column is None else column.tobytes())
    if catalogue:
        digest.update(repr((catalogue.item_ids, [list(each) for each in catalogue.documents])).encode())
        for name, matrix in catalogue.neighbours.items():
            digest.update(name.encode())
            for part in (matrix.indptr, matrix.indices, matrix.data):
                digest.update(part.tobytes())
    return digest.hexdigest()
