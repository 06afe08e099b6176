"""Item content: texts, and neighbours computed elsewhere.

Both become the form that algorithms return, a sparse matrix of each item's nearest items. They need no interactions, so
only they know items without any (cold items).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import IntArray, Matrix
from recommendations.algorithms.data.topk import sparse_product, stored_form
from recommendations.algorithms.models.tfidf_index import TextIndex, unit_rows
from recommendations.algorithms.training_options import TrainingOptions

TEXT = "text"
# Cosines below this are a shared word, not a similarity.
MIN_SIMILARITY = 0.05
# Kept for each text.
MAX_NEIGHBOURS = 50
# A term in more than this share of the texts does not discriminate.
TOO_COMMON = 0.4
# The limit on pairs of texts that share a term; on a large catalogue it leaves out more of the common terms.
MAX_TEXT_PAIRS = 1_000_000_000
# Half-lives of the histories that content scores.
HALF_LIVES = (5.0, np.inf)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The texts and neighbours of items, in the order of `item_ids`.

    Attributes:
        item_ids: unique, in any order; items without interactions included.
        documents: (items,) the terms of each item, repeated where they weigh more; empty for items without text.
        neighbours: by name, (items, items) sparse and not negative: row i holds the neighbours of i, such as the
            nearest vectors of a language model. The names become algorithms of the family of the same name.
    """

    item_ids: tuple[str, ...]
    documents: Sequence[Sequence[str]]
    neighbours: Mapping[str, Matrix] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.item_ids)
        if len(self.documents) != count:
            raise ValueError(f"{count} items and {len(self.documents)} documents: give one per item, empty for none")
        for name, matrix in self.neighbours.items():
            if matrix.shape != (count, count):
                raise ValueError(f"the neighbours {name!r} are {matrix.shape} for {count} items")

    def matrices(self, item_ids: Sequence[str], options: TrainingOptions) -> dict[str, Matrix]:
        """Return every non-empty content matrix over these items, which may be others in another order."""
        target = self._target(item_ids)
        own = {TEXT: _text_similarities(self._weighted.vectors, options), **self.neighbours}
        matrices = {name: _reindex(matrix, target, len(item_ids)) for name, matrix in own.items()}
        return {name: matrix for name, matrix in matrices.items() if matrix.nnz}

    def text_index(self, item_ids: Sequence[str], similarities: Matrix) -> TextIndex:
        """Return the index of these items' texts, with the scale of their text matrix `similarities`."""
        entries, target = self._weighted.vectors.tocoo(), self._target(item_ids)
        kept = target[entries.row] >= 0
        where = (target[entries.row[kept]], entries.col[kept])
        shape = (len(item_ids), entries.shape[1])
        vectors = sparse.csr_array((entries.data[kept].astype(np.float32), where), shape=shape)
        vectors.sort_indices()
        strongest = int(similarities.data.argmax())
        one = int(np.searchsorted(similarities.indptr, strongest, side="right")) - 1
        other = int(similarities.indices[strongest])
        cosine = float((vectors[[one]] @ vectors[[other]].T).sum())
        return TextIndex.from_vectors(
            self._weighted.terms, self._weighted.rarity, vectors, float(similarities.data[strongest]) / cosine
        )

    @cached_property
    def _weighted(self) -> _WeightedTexts:
        return _weight_texts(self.documents)

    def _target(self, item_ids: Sequence[str]) -> NDArray[np.int64]:
        place = {item_id: index for index, item_id in enumerate(item_ids)}
        return np.array([place.get(item_id, -1) for item_id in self.item_ids], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _WeightedTexts:
    """Texts as unit vectors (texts, terms), and the terms with their inverse document frequencies."""

    terms: tuple[str, ...]
    rarity: NDArray[np.float64]
    vectors: Matrix


def _weight_texts(documents: Sequence[Sequence[str]]) -> _WeightedTexts:
    """Return TF-IDF vectors, (1 + log tf) * log(n / df) scaled to length 1 (Salton and Buckley 1988)."""
    counts, vocabulary = _term_counts(documents)
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    usable = np.flatnonzero(_discriminating(present, sum(1 for each in documents if each)))
    rarity = np.log(len(documents) / present[usable])
    return _WeightedTexts(tuple(vocabulary[place] for place in usable), rarity, unit_rows(counts[:, usable], rarity))


def _text_similarities(vectors: Matrix, options: TrainingOptions) -> Matrix:
    count = vectors.shape[0]
    if not vectors.nnz:
        return sparse.csr_array((count, count), dtype=np.float32)
    unit = sparse.csr_matrix(vectors, dtype=np.float32)
    keep = min(MAX_NEIGHBOURS, options.neighbours_for(count))
    return stored_form(sparse_product(unit, unit.T, keep=keep, threads=options.threads, threshold=MIN_SIMILARITY))


def select_block(matrix: Matrix, chosen: IntArray) -> Matrix:
    """Return the block of `matrix` over these items only."""
    return stored_form(sparse.csr_array(matrix)[chosen][:, chosen])


def _term_counts(documents: Sequence[Sequence[str]]) -> tuple[Matrix, list[str]]:
    vocabulary: dict[str, int] = {}
    columns = [vocabulary.setdefault(term, len(vocabulary)) for document in documents for term in document]
    ends = np.cumsum([0, *(len(document) for document in documents)])
    data = np.ones(len(columns), dtype=np.float64)
    shape = (len(documents), max(1, len(vocabulary)))
    counts = sparse.csr_array((data, np.array(columns, dtype=np.int64), ends), shape=shape)
    counts.sum_duplicates()
    return counts, list(vocabulary)


def _discriminating(present: NDArray[np.int64], documents: int) -> NDArray[np.bool_]:
    """Mark terms of two texts or more, rare ones first, while their pairs stay within the limit."""
    usable = (present >= 2) & (present <= max(2.0, TOO_COMMON * documents))
    order = np.argsort(present, kind="stable")
    pairs = np.cumsum(np.where(usable[order], present[order].astype(np.float64) ** 2, 0.0))
    usable[order[pairs > MAX_TEXT_PAIRS]] = False
    return usable


def _reindex(matrix: Matrix, target: NDArray[np.int64], count: int) -> Matrix:
    entries = sparse.coo_array(matrix)
    rows, columns = target[entries.row], target[entries.col]
    kept = (rows >= 0) & (columns >= 0)
    return stored_form(sparse.csr_array((entries.data[kept], (rows[kept], columns[kept])), shape=(count, count)))
