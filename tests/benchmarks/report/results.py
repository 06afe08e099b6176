"""Figures of benchmarks as data, for `tests.benchmarks.report`: a line of JSON for each comparison with a peer."""

import dataclasses
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

# The file that figures are appended to; without it they are printed only.
VARIABLE = "BENCHMARK_RESULTS"


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of work by Docent and by a peer, in rounds in turn within one run.

    Attributes:
        benchmark: The module in `tests.benchmarks`.
        work: The work, in words.
        unit: The unit of `ours` and `peers`; more is better.
        ours, peers: Medians over the rounds.
        ratio, least, greatest: Ours to the peer's within one round: the median, and the extremes of all rounds.
        processor: The same ratio for work in a second of processor time, where it was measured.
        more: Further figures, such as percentiles, by name.
    """

    benchmark: str
    work: str
    unit: str
    ours: float
    peers: float
    ratio: float
    least: float
    greatest: float
    processor: float | None = None
    more: dict[str, float] = dataclasses.field(default_factory=dict)


def record(
    benchmark: str,
    work: str,
    *,
    unit: str,
    ours: Sequence[float],
    peers: Sequence[float],
    processor: float | None = None,
    **more: float,
) -> Comparison:
    """Keep the rates of all rounds; returns them compared.

    Raises: ValueError unless both sides have as many rounds, one at least.
    """
    ratios = [own / other for own, other in zip(ours, peers, strict=True)]
    found = Comparison(
        benchmark=benchmark,
        work=work,
        unit=unit,
        ours=statistics.median(ours),
        peers=statistics.median(peers),
        ratio=statistics.median(ratios),
        least=min(ratios),
        greatest=max(ratios),
        processor=processor,
        more=more,
    )
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(dataclasses.asdict(found)) + "\n")
    return found


def read(path: Path) -> list[Comparison]:
    """All comparisons of a file, in the order in which they were made."""
    if not path.exists():
        return []
    return [Comparison(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
