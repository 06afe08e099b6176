"""All items of a training: those with interactions and the catalogue's other items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommendations.algorithms.data.dataset import IntArray, Interactions, Matrix
from recommendations.algorithms.data.topk import scatter
from recommendations.algorithms.models.content import Catalogue, select_block
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemMatrix, ItemVector
from recommendations.algorithms.training_options import TrainingOptions


@dataclass(frozen=True, eq=False)
class ItemSpace:
    """Maps the items of interactions to all items.

    Attributes:
        item_ids: (items,) sorted ids of all items.
        places: indices of the interactions' items among all.
        content: by name, (items, items) content matrices over all items.
    """

    item_ids: tuple[str, ...]
    places: IntArray
    content: Mapping[str, Matrix]

    @classmethod
    def from_catalogue(
        cls, interactions: Interactions, catalogue: Catalogue | None, options: TrainingOptions
    ) -> ItemSpace:
        """Merge the items of the interactions and of the catalogue, if there is one."""
        if catalogue is None:
            return cls(interactions.item_ids, np.arange(interactions.item_count, dtype=np.int32), {})
        item_ids = tuple(sorted({*interactions.item_ids, *catalogue.item_ids}))
        index = {item_id: place for place, item_id in enumerate(item_ids)}
        places = np.array([index[item_id] for item_id in interactions.item_ids], dtype=np.int32)
        return cls(item_ids, places, catalogue.matrices(item_ids, options))

    @property
    def item_count(self) -> int:
        return len(self.item_ids)

    def content_of_interactions(self) -> dict[str, Fitted]:
        """Return the content matrices over the items of the interactions only."""
        return {name: ItemMatrix(select_block(matrix, self.places)) for name, matrix in self.content.items()}

    def expand(self, fitted: Fitted) -> Fitted:
        """Return what was fitted on the items of the interactions as a part over all items."""
        if len(self.places) == self.item_count:
            return fitted
        if isinstance(fitted, FactorMatrix):
            return fitted.scatter(self.places, self.item_count)
        if isinstance(fitted, ItemMatrix):
            return ItemMatrix(scatter(fitted.values, self.places, self.item_count))
        values = np.zeros(self.item_count, dtype=np.float32)
        values[self.places] = fitted.values
        return ItemVector(values)

    def cold_items(self, fitted: Mapping[str, Fitted]) -> IntArray:
        """Return the items without interactions that the fitted content can recommend."""
        known = np.zeros(self.item_count, dtype=bool)
        for name in self.content:
            part = fitted.get(name)
            if isinstance(part, ItemMatrix):
                known[part.values.indices] = True
        known[self.places] = False
        return np.flatnonzero(known).astype(np.int32)
