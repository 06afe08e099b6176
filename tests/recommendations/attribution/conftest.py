"""A tenant with lists, and an impression buffer that sends when a test says so."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.tenancy import scope
from recommendations.attribution.impression_buffer import impression_buffer
from recommendations.models import Item, Placement
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
    """The process's impression buffer, on, without its thread."""
    impression_buffer.start(thread=False)
    yield impression_buffer
    impression_buffer.running = False
    impression_buffer._pages.clear()
    impression_buffer._unsent = None


@pytest.fixture
def tenant(cast):
    """A tenant with a placement and an item."""
    tenant = cast.acme.tenant
    with scope.tenant(tenant.pk):
        Placement.objects.create(tenant=tenant, name="home")
        Item.objects.create(tenant=tenant, item_id="i")
    return tenant


@pytest.fixture
def admin_browser(db):
    """Logged in as somebody who may do everything."""
    User.objects.create_superuser("root", "root@example.org", "correct horse battery staple")
    browser = Client()
    browser.login(username="root", password="correct horse battery staple")
    return browser
