"""A tenant with lists, and a collector that sends when a test says so."""

import pytest

from recommendations.attribution.collector import collector
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(60)]
URL = "/api/v1/users/{}/recommendations"


@pytest.fixture
def acme(cast):
    publish(
        cast.acme.tenant,
        people={"ann": ITEMS[:40], "bob": ITEMS[20:]},
        items=ITEMS,
        popular=ITEMS[::-1],
        similar={"i001": ITEMS[2:30]},
    )
    return cast.acme


@pytest.fixture
def collecting():
    """The process's collector, on, without its thread."""
    collector.start(thread=False)
    yield collector
    collector.running = False
    collector._pages.clear()
    collector._unsent = None
