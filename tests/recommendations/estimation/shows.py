"""Pages shown and clicked by a known model, through what serves, counts and settles them."""

from datetime import timedelta

import numpy as np

from accounts.tenancy import scope
from recommendations.attribution import attribute_events, stream_consumer
from recommendations.attribution.impression_buffer import impression_buffer
from recommendations.cache.list_codec import decode
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import UserList
from recommendations.serving.page import render
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import ResolvedList

EXAMINED = 0.2 / np.arange(1, 21) ** 0.7


def chance(item_id, place):
    """The probability of a click at a place (from 0), which estimates do not know."""
    return min(1.0, EXAMINED[place] * (0.3 + int(item_id[1:]) % 7 / 3))


def clicks_of(item_ids):
    """Of one page, on average."""
    return sum(chance(item_id, place) for place, item_id in enumerate(item_ids))


def show(tenant, *, times, apart, until, placement="home", seed=1, received=None):
    """Everybody's list so often, the last time at `until`; returns the mean of clicks on the pages.

    What is shown before the lists were made must be clicked after it: `received`.
    """
    draw, clicks = np.random.default_rng(seed), 0
    with scope.tenant(tenant.pk):
        rows = UserList.objects.filter(placement__name=placement, build=models_build(tenant, placement))
        lists = [
            (row.end_user.user_id, decode(bytes(row.body)))
            for row in rows.select_related("end_user").order_by("end_user__user_id")
        ]
    shown, events = 0, []
    for turn in range(times):
        at = until - apart * (times - 1 - turn)
        for user_id, stored in lists:
            subject = Subject(tenant.pk, user_id, placement)
            answer = render.render(resolved=ResolvedList(stored, None, {}), subject=subject, options=Options(), now=at)
            render.record_impression(answer=answer, subject=subject, now=at)
            shown += 1
            for place, item_id in enumerate(answer.item_ids):
                if draw.random() < chance(item_id, place):
                    clicks += 1
                    said = {"type": "click", "recommendation_id": answer.recommendation_id}
                    events.append((at + timedelta(seconds=5), {"user_id": user_id, "item_id": item_id, **said}))
    count(tenant, events, received or until)
    return clicks / shown


def models_build(tenant, placement):
    """The build that serves at a placement."""
    from recommendations.models import Placement

    return Placement.objects.get(tenant=tenant, name=placement).active_build_id


def count(tenant, events, now):
    """Sends the pages and the events, and has both counted."""
    assert impression_buffer.flush()
    stream_consumer.flush(now=now + timedelta(seconds=10))
    for start in range(0, len(events), 500):
        batch = [read_event(said, now=at) for at, said in events[start : start + 500]]
        record_events(tenant_id=tenant.pk, events=batch, now=now + timedelta(seconds=20))
    attribute_events.attribute(now=now + timedelta(minutes=10))
