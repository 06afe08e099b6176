"""The options of a training: limits, seed and method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Validation = Literal["auto", "time", "last", "random"]
VALIDATIONS: tuple[Validation, ...] = get_args(Validation)
Ranking = Literal["auto", "none"]
RANKERS: tuple[Ranking, ...] = get_args(Ranking)


_AT_LEAST_ONE = (
    "threads",
    "neighbours",
    "max_entries",
    "max_dense_items",
    "max_blocked_items",
    "max_dense_people",
    "max_rank",
    "max_pairs",
)


@dataclass(frozen=True)
class TrainingOptions:
    """The options of one training.

    Attributes:
        seed: draws the validation fold; the same interactions and options always give the same artefact.
        validation: how the validation fold is cut out of the interactions: at a moment for all users ("time"), each
            user's last rows ("last"), or random rows ("random"). "auto" decides from the data.
        threads: upper limit for BLAS and for sparse products.
        neighbours: entries kept per row of an item x item matrix.
        max_entries: bound on the entries of one item x item matrix; on a large catalogue it lowers `neighbours`.
        max_dense_items: above this many items no dense array of the size items x items is made, not even temporarily.
            The largest dense array of a training holds max_dense_items ** 2 float32.
        max_blocked_items: above this many items no product of all pairs of items is made, not even block by block, and
            nothing is kept whose scores for one user take all items times a rank.
        max_rank: bound on the factors of one item that a matrix in factored form keeps.
        max_dense_people: up to this many users the cheaper of two equal solutions may use a dense
            users x users array.
        max_pairs: bound on the (earlier row, later row) pairs that sequence counts look at; the window shrinks
            to keep it.
        validation_people: at most this many users choose the weights.
        ranker: "auto" has a second stage that reranks the blend's best candidates where it leads by a standard error
            (`blending.ranker_training`); "none" has none.
        seconds: the time budget, 0 for none. What it does not allow is left out or serves as fitted on the fold, and is
            named in the artefact; then the result depends on the machine. Popularity and neighbours are always tried.
        parameters: hyperparameters other than the defaults, see `training.hyperparameters`.
        cold_every: one slot in this many positions is for an item without interactions, 0 for none; None: the
            training decides (`blending.cold_item_slots`).
        l1: strength of the pull of blend weights towards zero.
        smallest_weight: blend weights below this share of their sum are dropped.
    """

    seed: int = 0
    validation: Validation = "auto"
    threads: int = 2
    neighbours: int = 200
    max_entries: int = 20_000_000
    max_dense_items: int = 10_000
    max_blocked_items: int = 50_000
    max_dense_people: int = 4_000
    max_rank: int = 1_024
    max_pairs: int = 40_000_000
    validation_people: int = 2_000
    ranker: Ranking = "auto"
    seconds: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    cold_every: int | None = None
    l1: float = 0.001
    smallest_weight: float = 0.004

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.validation not in VALIDATIONS:
            raise ValueError(f"validation is {self.validation!r}: choose one of {', '.join(VALIDATIONS)}")
        if self.ranker not in RANKERS:
            raise ValueError(f"ranker is {self.ranker!r}: choose one of {', '.join(RANKERS)}")
        if self.cold_every is not None and not 0 <= self.cold_every <= 100:
            raise ValueError(f"cold_every is {self.cold_every}: give 0 to 100, or None")
        if min(self.validation_people, self.seconds, self.l1) < 0 or not 0 <= self.smallest_weight < 1:
            raise ValueError(
                "validation_people, seconds and l1 must not be negative, smallest_weight must lie in 0 to 1"
            )

    def neighbours_for(self, item_count: int) -> int:
        """Return how many entries to keep per row of a catalogue of this size."""
        return max(1, min(self.neighbours, self.max_entries // max(1, item_count)))
