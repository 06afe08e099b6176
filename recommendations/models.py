"""Every model of the slices, gathered where Django looks for them."""

from recommendations.catalog.models import EndUser, Item
from recommendations.imports.models import Import, ImportRowError
from recommendations.interactions.models import EventType, Interaction
from recommendations.placements.models import Placement
from recommendations.precompute.models import Artefact, Build, Chunk, ReferenceList, UserList

__all__ = [
    "Artefact",
    "Build",
    "Chunk",
    "EndUser",
    "EventType",
    "Import",
    "ImportRowError",
    "Interaction",
    "Item",
    "Placement",
    "ReferenceList",
    "UserList",
]
