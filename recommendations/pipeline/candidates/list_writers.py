"""Calls the writers of all kinds of lists that a build stores (`recommendations.list_kinds`)."""

from datetime import datetime

from django.utils.module_loading import import_string

from recommendations import list_kinds
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.models import Build, Chunk, ReferenceList


def make_shared_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Make the lists that belong to no item (popular, trending, of segments), not saved yet."""
    return [
        row
        for writer in list_kinds.writers(of_items=False)
        for row in import_string(writer)(build=build, loaded=loaded, version=version, now=now, locale=locale)
    ]


def make_item_lists(*, build: Build, chunk: Chunk, loaded: Loaded, now: datetime, locale: str) -> list[ReferenceList]:
    """Make the lists of the chunk's items (similar, bought together), not saved yet."""
    return [
        row
        for writer in list_kinds.writers(of_items=True)
        for row in import_string(writer)(build=build, chunk=chunk, loaded=loaded, now=now, locale=locale)
    ]
