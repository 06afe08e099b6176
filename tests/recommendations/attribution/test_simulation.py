"""Counts against a simulated truth: people, pages, clicks and conversions, in and out of their windows."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.attribution import attribute_events, insights, stream_consumer
from recommendations.interactions.event_schema import Event
from recommendations.interactions.ingest import record_events
from recommendations.models import EndUser, Item, Placement
from tests.recommendations.attribution.conftest import ITEMS

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # the night falls into it
WINDOW = timedelta(hours=2)
SKEW = timedelta(minutes=1)  # by which a client's clock may be behind
SOURCES, PLACEMENTS, ARMS = ["ai", "model", "popular"], ["home", "cart"], ["a", "b"]


@pytest.mark.parametrize("explicit", [False, True], ids=["implied", "explicit"])
def test_counts_equal_the_truth(cast, collecting, explicit):
    tenant, chance = cast.acme.tenant, random.Random(5)
    prepare(tenant, explicit)
    pages = served(chance)
    truth: Counter[Any] = Counter()
    if explicit:
        events = impression_events(pages, chance)
    else:
        record_impressions(tenant, collecting, pages, chance)
        events = []
    for _, _, place, at in pages:
        truth[(at.date(), *place), "impressions"] += 1
    events += random_events(pages, truth, chance)
    chance.shuffle(events)
    deliver(tenant, collecting, events)

    rows = insights.placements(
        tenant_id=tenant.pk, since=START.date(), until=START.date() + timedelta(days=2), now=START + timedelta(days=2)
    )
    found = Counter(
        {
            ((row.day, row.placement, row.arm, row.source), name): getattr(row, name)
            for row in rows
            for name in ("impressions", "clicks", "conversions")
            if getattr(row, name)
        }
    )
    assert found == truth
    assert sum(count for (_, name), count in truth.items() if name == "clicks") > 50


def prepare(tenant, explicit):
    chosen = Tenant.Impressions.EXPLICIT if explicit else Tenant.Impressions.IMPLIED
    with scope.tenant(tenant.pk):
        Tenant.objects.filter(pk=tenant.pk).update(impressions=chosen, attribution_hours=2)
        Placement.objects.bulk_create(Placement(tenant=tenant, name=name) for name in PLACEMENTS)
        Item.objects.bulk_create(Item(tenant=tenant, item_id=item_id) for item_id in ITEMS)
        EndUser.objects.bulk_create(
            EndUser(tenant=tenant, user_id=f"p{number}", created_at=START - timedelta(days=1)) for number in range(30)
        )


def served(chance):
    """Pages at moments of five hours, some again and again."""
    from recommendations.attribution.recommendation_ids import make

    pages = []
    for number in range(150):
        place = (chance.choice(PLACEMENTS), chance.choice(ARMS), chance.choice(SOURCES))
        page = make(f"page {number}", source=place[2], placement=place[0], arm=place[1])
        person = f"p{chance.randrange(30)}"
        for _ in range(chance.randrange(1, 5)):
            at = START + timedelta(seconds=chance.randrange(5 * 3600), milliseconds=chance.randrange(1000))
            pages.append((page, person, place, at))
    return pages


def impression_events(pages, chance):
    return [
        event(f"s{number}", person, "impression", page, at, chance)
        for number, (page, person, _, at) in enumerate(pages)
    ]


def record_impressions(tenant, collecting, pages, chance):
    for page, person, (placement, arm, source), at in pages:
        collecting.record(
            tenant_id=tenant.pk,
            recommendation_id=page,
            user_id=person,
            placement=placement,
            arm=arm,
            source=source,
            item_ids=chance.sample(ITEMS, 5),
            at=at.timestamp(),
        )


def random_events(pages, truth, chance):
    """Returns events that name the pages, and counts those that belong to a page in `truth`."""
    place_of = {page: place for page, _, place, _ in pages}
    shown: dict[tuple[str, str], list[datetime]] = {}
    for page, person, _, at in pages:
        shown.setdefault((page, person), []).append(at)
    events = []
    for number in range(400):
        page, person, _, at = chance.choice(pages)
        if chance.random() < 0.2:
            person = f"p{chance.randrange(30)}"  # often somebody else, who was never shown the page
        kind = chance.choice(["click", "click", "purchase", "view"])
        moment = at + timedelta(seconds=chance.randrange(70, 4 * 3600))
        events.append(event(f"o{number}", person, kind, page, moment, chance))
        counted = {"click": "clicks", "purchase": "conversions"}.get(kind)
        if counted and any(first - SKEW <= moment <= first + WINDOW for first in shown.get((page, person), [])):
            truth[(moment.date(), *place_of[page]), counted] += 1
    return events


def event(name, person, kind, page, at, chance):
    return Event(
        user_id=person,
        item_id=chance.choice(ITEMS),
        type=kind,
        value=None,
        occurred_at=at,
        event_id=name,
        recommendation_id=page,
        context=None,
        timed=True,
    )


def deliver(tenant, collecting, events):
    """In pieces, some of them before what they belong to, with runs of the job in between."""
    now = START + timedelta(hours=9)
    for start in range(0, len(events), 100):
        record_events(tenant_id=tenant.pk, events=events[start : start + 100], now=now)
        attribute_events.attribute(now=now)
        if start == 100:
            collecting.flush()
            stream_consumer.flush(now=now)
        now += timedelta(minutes=5)
    collecting.flush()
    stream_consumer.flush(now=now)
    for _ in range(3):
        now += timedelta(hours=1, minutes=1)
        attribute_events.attribute(now=now)
