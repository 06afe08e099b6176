"""A TF-IDF index of a training's texts, for the similarity of later texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import Matrix
from recommendations.algorithms.data.topk import inverse_power


@dataclass(frozen=True, eq=False)
class TextIndex:
    """Unit vectors of texts, with the vocabulary and the inverse document frequencies behind them.

    Attributes:
        vocabulary: the terms, a JSON list in UTF-8, which is parsed on first use.
        rarity: (terms,) log(texts / texts with the term).
        vectors: (items, terms) of length 1; empty rows for items without text.
        scale: the value of a cosine of 1 in the artefact's text matrix.
    """

    vocabulary: NDArray[np.uint8]
    rarity: NDArray[np.float64]
    vectors: Matrix
    scale: float

    @classmethod
    def from_vectors(
        cls, terms: Sequence[str], rarity: NDArray[np.float64], vectors: Matrix, scale: float
    ) -> TextIndex:
        """Return the index of these vectors."""
        raw = np.frombuffer(json.dumps(terms, ensure_ascii=False).encode(), dtype=np.uint8)
        return cls(raw, rarity, vectors, scale)

    @cached_property
    def place(self) -> dict[str, int]:
        """Return each term's column."""
        return {term: column for column, term in enumerate(json.loads(self.vocabulary.tobytes()))}

    def vectors_of(self, documents: Sequence[Sequence[str]]) -> Matrix:
        """Return (documents, terms); terms unknown to the training are left out."""
        columns, counts, ends = [], [], [0]
        for document in documents:
            known = sorted(Counter(self.place[term] for term in document if term in self.place).items())
            columns += [column for column, _ in known]
            counts += [count for _, count in known]
            ends.append(len(columns))
        parts = (np.array(counts, dtype=np.float64), np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32))
        return unit_rows(sparse.csr_array(parts, shape=(len(documents), len(self.rarity))), self.rarity)


def unit_rows(counts: Matrix, rarity: NDArray[np.floating]) -> Matrix:
    """Return (1 + log tf) * rarity, each row of length 1: the TF-IDF vectors of term counts."""
    weights = sparse.csr_array(counts, dtype=np.float64, copy=True)
    weights.data = (1.0 + np.log(weights.data)) * rarity[weights.indices]
    norms = np.asarray((weights * weights).sum(axis=1)).ravel()
    unit = sparse.csr_array(sparse.diags_array(inverse_power(norms, 0.5)) @ weights, dtype=np.float32)
    unit.sort_indices()
    return unit
