"""What is known of items besides who chose them: texts, and neighbours that somebody else computed.

Both end as the one form that algorithms leave, a sparse matrix of each item's nearest items. They need no interaction,
so they are the only parts that know items nobody has chosen yet (cold items).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

from recommendations.algorithms.data.dataset import IntArray, Matrix
from recommendations.algorithms.data.topk import stored_form
from recommendations.algorithms.models.tfidf_index import TextIndex, unit_rows
from recommendations.algorithms.training_options import TrainingOptions

TEXT = "text"
# Cosines below this are a shared word, not a likeness.
MIN_SIMILARITY = 0.05
# Kept of each text.
MAX_NEIGHBOURS = 50
# A term in more than this share of the texts tells nothing apart.
TOO_COMMON = 0.4
# Bound on the pairs of texts that share a term; on a large catalogue it leaves out more of the common terms.
MAX_TEXT_PAIRS = 1_000_000_000
# Half-lives that content is read with.
HALF_LIVES = (5.0, np.inf)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items as their texts and neighbours, in the order of `item_ids`.

    Attributes:
        item_ids: without repetition, in any order; items without interactions are what this is for.
        documents: (items,) the terms of each item, repeated where they weigh more; empty for items without text.
        neighbours: by name, (items, items) sparse and not negative: row i holds what is near i, such as the nearest
            vectors of a language model. The names become algorithms of the family of the same name.
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
        """Return every content matrix over these items, which may be others in another order; empty ones are left
        out."""
        target = self._target(item_ids)
        found = {TEXT: _alike(self._weighed.vectors, options), **self.neighbours}
        placed = {name: _placed(matrix, target, len(item_ids)) for name, matrix in found.items()}
        return {name: matrix for name, matrix in placed.items() if matrix.nnz}

    def text_index(self, item_ids: Sequence[str], alike: Matrix) -> TextIndex:
        """Return what compares a new text with these items' texts on the scale of `alike`, their text matrix."""
        entries, target = self._weighed.vectors.tocoo(), self._target(item_ids)
        kept = target[entries.row] >= 0
        where = (target[entries.row[kept]], entries.col[kept])
        shape = (len(item_ids), entries.shape[1])
        vectors = sparse.csr_array((entries.data[kept].astype(np.float32), where), shape=shape)
        vectors.sort_indices()
        strongest = int(alike.data.argmax())
        one = int(np.searchsorted(alike.indptr, strongest, side="right")) - 1
        other = int(alike.indices[strongest])
        likeness = float((vectors[[one]] @ vectors[[other]].T).sum())
        return TextIndex.from_vectors(
            self._weighed.terms, self._weighed.rarity, vectors, float(alike.data[strongest]) / likeness
        )

    @cached_property
    def _weighed(self) -> _Weighed:
        return _weigh(self.documents)

    def _target(self, item_ids: Sequence[str]) -> NDArray[np.int64]:
        place = {item_id: index for index, item_id in enumerate(item_ids)}
        return np.array([place.get(item_id, -1) for item_id in self.item_ids], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Texts as unit vectors (texts, terms), and the terms with how rare they are."""

    terms: tuple[str, ...]
    rarity: NDArray[np.float64]
    vectors: Matrix


def text_neighbours(documents: Sequence[Sequence[str]], options: TrainingOptions) -> Matrix:
    """Return the cosines of TF-IDF vectors, the largest per row.

    (1 + log tf) * log(n / df): Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """
    return _alike(_weigh(documents).vectors, options)


def _weigh(documents: Sequence[Sequence[str]]) -> _Weighed:
    counts, vocabulary = _term_counts(documents)
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    usable = np.flatnonzero(_telling(present, sum(1 for each in documents if each)))
    rarity = np.log(len(documents) / present[usable])
    return _Weighed(tuple(vocabulary[place] for place in usable), rarity, unit_rows(counts[:, usable], rarity))


def _alike(vectors: Matrix, options: TrainingOptions) -> Matrix:
    count = vectors.shape[0]
    if not vectors.nnz:
        return sparse.csr_array((count, count), dtype=np.float32)
    unit = sparse.csr_matrix(vectors, dtype=np.float32)
    product = sp_matmul_topn(
        unit,
        sparse.csr_matrix(unit.T),
        top_n=min(MAX_NEIGHBOURS, options.neighbours_for(count)) + 1,
        threshold=MIN_SIMILARITY,
        n_threads=options.threads,
    )
    return stored_form(product)


def select_block(matrix: Matrix, chosen: IntArray) -> Matrix:
    """Return the block of `matrix` over the chosen places only."""
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


def _telling(present: NDArray[np.int64], documents: int) -> NDArray[np.bool_]:
    """Mark terms of two texts or more, rare ones first, while their pairs stay within the bound."""
    usable = (present >= 2) & (present <= max(2.0, TOO_COMMON * documents))
    order = np.argsort(present, kind="stable")
    pairs = np.cumsum(np.where(usable[order], present[order].astype(np.float64) ** 2, 0.0))
    usable[order[pairs > MAX_TEXT_PAIRS]] = False
    return usable


def _placed(matrix: Matrix, target: NDArray[np.int64], count: int) -> Matrix:
    entries = sparse.coo_array(matrix)
    rows, columns = target[entries.row], target[entries.col]
    kept = (rows >= 0) & (columns >= 0)
    return stored_form(sparse.csr_array((entries.data[kept], (rows[kept], columns[kept])), shape=(count, count)))
