"""Builds and their results: artefacts, chunks of work, lists."""

from recommendations.pipeline.models.artefact import Artefact, Tuning
from recommendations.pipeline.models.build import Build, Chunk
from recommendations.pipeline.models.fresh_item import FreshItem
from recommendations.pipeline.models.lists import ReferenceList, RelatedPeople, UserList

__all__ = [
    "Artefact",
    "Build",
    "Chunk",
    "FreshItem",
    "ReferenceList",
    "RelatedPeople",
    "Tuning",
    "UserList",
]
