"""The ids seen in a file, in eight bytes each: a catalogue may have millions."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Ids beside the sorted array, before they are merged into it.
_LOOSE = 100_000


class SeenIds:
    """A set of ids that keeps only their 64-bit hashes, which are valid in this process."""

    def __init__(self) -> None:
        self._sorted: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._loose: set[int] = set()

    def __contains__(self, name: object) -> bool:
        number = hash(name)
        if number in self._loose:
            return True
        place = int(np.searchsorted(self._sorted, number))
        return place < len(self._sorted) and int(self._sorted[place]) == number

    def add(self, names: Iterable[str]) -> None:
        """Adds ids."""
        self._loose.update(map(hash, names))
        if len(self._loose) >= _LOOSE:
            new = np.fromiter(self._loose, dtype=np.int64, count=len(self._loose))
            self._sorted = np.union1d(self._sorted, new)
            self._loose.clear()
