"""A tenant whose lists are drawn anew each minute, with pages that were shown and clicked."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.attribution.impression_buffer import impression_buffer
from recommendations.models import EndUser
from recommendations.placements import versions
from tests import worlds
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.generated import build_now, fill

PEOPLE, ITEMS = 60, 60
# Always the same, so that the same orders are drawn whenever the tests run.
MOMENT = datetime(2031, 1, 1, tzinfo=UTC)
OTHER = {"boosts": [{"when": "categories contains 'kind 1' or categories contains 'kind 2'", "factor": 2}], "ai": False}


@pytest.fixture
def collecting():
    """The process's impression buffer, on, without its thread."""
    impression_buffer.start(thread=False)
    yield impression_buffer
    impression_buffer.running = False
    impression_buffer._pages.clear()
    impression_buffer._unsent = None


@pytest.fixture
def made(committed_db, cast, collecting):
    """Makes the tenant's lists by these rules; version 1 of `home`."""

    def make(rules, tenant=None, cold=0, people=PEOPLE):
        tenant = tenant or cast.acme.tenant

        def build():
            fill(tenant, people=people, items=ITEMS, cold=cold)
            with scope.tenant(tenant.pk):  # pages may be shown before the lists were made
                EndUser.objects.update(created_at=clock.now() - timedelta(days=9))
            publish(tenant, rules)
            build_now(tenant)

        if tenant == cast.acme.tenant:
            worlds.begin_with(("estimation", repr(rules), cold, people), build)
        else:  # beside what is there
            build()
        return tenant

    return make


def publish(tenant, rules, placement="home"):
    create_placement(tenant_id=tenant.pk, name=placement)
    found = draft(tenant, rules, placement)
    versions.publish_version(tenant_id=tenant.pk, placement=placement, number=found.number, now=clock.now())


def draft(tenant, rules, placement="home"):
    return versions.create_draft(tenant_id=tenant.pk, placement=placement, rules=rules, now=clock.now())


def later(hours=30):
    """A moment after all the pages, which were shown after the lists were made."""
    return MOMENT + timedelta(hours=hours)
