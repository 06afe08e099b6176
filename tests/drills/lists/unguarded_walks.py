"""A web process whose walks go on by the place in the list, not by what was shown: what the drill of walks notices."""

from config.wsgi import application
from recommendations.serving.page import selection

__all__ = ["application"]


def by_place(resolved, options):
    """The list behind as many items as were shown."""
    entries = selection._entries(resolved.stored.entries(), resolved.stored.parts)
    left = entries[len(options.shown) :]
    page = left[: options.limit]
    for entry in page:
        entry.pop("part")
    return selection.Selection(page, len(left) > options.limit)


selection.select = lambda *, resolved, options, **_: by_place(resolved, options)
