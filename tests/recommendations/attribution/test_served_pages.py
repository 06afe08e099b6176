"""Pages that are kept for estimates: what they hold, which are kept, and that what is drawn is drawn as they say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.attribution import attribute_events, impressions, served_pages, stream_consumer
from recommendations.attribution.served_pages import Page, Rotation
from recommendations.cache.list_codec import Chance, Entry, Exploration, Provenance, decode, encode
from recommendations.catalog.models import EndUser
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import Impression, Item, UserList
from recommendations.serving.page import render as pages_served
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import ResolvedList
from tests.recommendations.attribution.conftest import ITEMS, URL

pytestmark = pytest.mark.django_db


def gather(collecting):
    assert collecting.flush()
    stream_consumer.flush(now=clock.now())


def kept(tenant):
    """The pages that are kept, by person."""
    with scope.tenant(tenant.pk):
        rows = Impression.objects.filter(page__isnull=False).values_list("end_user__user_id", "page")
        return [(user_id, served_pages.read(bytes(body or b""))) for user_id, body in rows]


def listed(tenant, user_id, *, reading=None, chance=None, items=ITEMS[:40]):
    """Replaces a person's list."""
    entries = [Entry(item_id, 1.0, "") for item_id in items]
    with scope.tenant(tenant.pk):
        row = UserList.objects.get(end_user__user_id=user_id)
        row.body = encode(
            provenance=Provenance(row.build_id, 1, "model", "2026-11-23T12:00:00Z", artefact=4),
            owner=user_id,
            entries=entries,
            reading=reading,
            chance=chance or Chance(),
        )
        row.save(update_fields=["body"])


class TestWhatIsKept:
    @pytest.mark.parametrize(
        "page",
        [
            Page(("a", "b"), "2026-11-23T12:00:00Z", 3),
            Page(("a",), "2026-11-23T12:00:00Z", None, Chance(0.25), Rotation((0, 1), ("a", "b"))),
            Page(("a", "p"), "x", 1, Chance(), Rotation((0, 2, 5), ("a", "b", "c"), (1,))),
            Page(("a", "n"), "x", 1, Chance(exploration=Exploration(0.1, 3, 4, (1,), ("b",)))),
        ],
    )
    def test_comes_back_as_it_was(self, page):
        assert served_pages.read(served_pages.stored(page.item_ids, served_pages.wire(page))) == page

    @pytest.mark.parametrize("body", [b"", b"nonsense", served_pages.stored(["a"], [1, 2])])
    def test_other_bytes_are_no_page(self, body):
        assert served_pages.read(body) is None

    def test_takes_little_where_nothing_was_drawn(self):
        page = Page(tuple(ITEMS[:20]), "2026-11-23T12:00:00Z", 3)

        assert len(served_pages.stored(page.item_ids, served_pages.wire(page))) < 160


class TestWhichPagesAreKept:
    def test_first_pages_of_peoples_own_lists_with_nothing_narrowed(self, acme, collecting):
        url = URL.format("ann")
        first = acme.http.get(url).json()
        acme.http.get(url, {"cursor": first["next"]})
        acme.http.get(url, {"exclude": "i000"})
        acme.http.get(URL.format("bob") + "?limit=5")
        acme.http.get(URL.format("stranger"))
        acme.http.get("/api/v1/recommendations/popular")
        gather(collecting)

        found = kept(acme.tenant)

        assert sorted((user_id, page.item_ids) for user_id, page in found) == [
            ("ann", tuple(ITEMS[:20])),
            ("bob", tuple(ITEMS[20:25])),
        ]

    def test_a_batch_is_kept_page_by_page(self, acme, collecting):
        acme.http.post("/api/v1/recommendations/batch", {"user_ids": ["ann", "bob"]}, format="json")
        gather(collecting)

        assert sorted(user_id for user_id, _ in kept(acme.tenant)) == ["ann", "bob"]

    def test_a_rotating_one_holds_what_it_was_drawn_from(self, acme, collecting):
        now = clock.now().timestamp()
        pin = ["i007", 2, None, now + 3600, "Featured"]
        gone = ["i030", 1, None, now - 3600, "Featured"]
        listed(acme.tenant, "ann", reading={"rotate": 3600, "pins": [pin, gone]}, chance=Chance(0.3))
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id="i001").update(hidden=True)

        body = acme.http.get(URL.format("ann")).json()
        gather(collecting)

        ((_, page),) = kept(acme.tenant)
        assert list(page.item_ids) == [item["item_id"] for item in body["items"]]
        assert (page.made_at, page.artefact, page.chance.share) == ("2026-11-23T12:00:00Z", 4, 0.3)
        left = [(place, item_id) for place, item_id in enumerate(ITEMS[:40]) if item_id not in {"i001", "i007"}]
        assert page.rotation == Rotation(tuple(place for place, _ in left), tuple(name for _, name in left), (1,))
        assert page.item_ids[1] == "i007"

    def test_an_explored_one_says_so_for_its_own_length(self, acme, collecting):
        drawn = Exploration(0.1, 50, 9, (2, 15), ("k18", "k19"))
        listed(acme.tenant, "ann", chance=Chance(exploration=drawn))
        acme.http.get(URL.format("ann"))
        acme.http.get(URL.format("ann") + "?limit=4")
        gather(collecting)

        found = {len(page.item_ids): page.chance.exploration for _, page in kept(acme.tenant)}
        assert found[20] == drawn
        assert found[4] == Exploration(0.1, 50, 9, (2,), ("i004",))

    def test_of_an_explored_one_nothing_is_told_where_an_item_is_gone(self, acme, collecting):
        listed(acme.tenant, "ann", chance=Chance(exploration=Exploration(0.1, 50, 9, (2, 15))))
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id="i005").update(hidden=True)

        acme.http.get(URL.format("ann"))
        gather(collecting)

        assert [page.chance for _, page in kept(acme.tenant)] == [Chance(told=False)]


class TestClicks:
    def click(self, acme, user_id, page, *item_ids, minutes=1):
        at = clock.now() + timedelta(seconds=minutes)
        events = [
            read_event({"user_id": user_id, "item_id": item_id, "type": "click", "recommendation_id": page}, now=at)
            for item_id in item_ids
        ]
        record_events(tenant_id=acme.tenant.pk, events=events, now=at)
        attribute_events.attribute(now=at + timedelta(minutes=5))

    def test_stand_with_the_page_that_they_came_of_each_item_once(self, acme, collecting):
        page = acme.http.get(URL.format("ann")).json()["recommendation_id"]
        acme.http.get(URL.format("bob"))
        gather(collecting)

        self.click(acme, "ann", page, "i003", "i001")
        self.click(acme, "ann", page, "i003", minutes=2)
        self.click(acme, "bob", page, "i005")  # another's page

        with scope.tenant(acme.tenant.pk):
            clicked = dict(Impression.objects.values_list("end_user__user_id", "clicked"))
        assert {user_id: sorted(items) for user_id, items in clicked.items()} == {"ann": ["i001", "i003"], "bob": []}

    def test_are_exported_with_what_was_shown_and_go_along_when_people_are_merged(self, acme, collecting):
        page = acme.http.get(URL.format("ann")).json()["recommendation_id"]
        gather(collecting)
        self.click(acme, "ann", page, "i002")

        with scope.tenant(acme.tenant.pk):
            ann, bob = (EndUser.objects.get(user_id=name).pk for name in ("ann", "bob"))
            impressions.move(tenant_id=acme.tenant.pk, source_pk=ann, target_pk=bob)
            (told,) = impressions.to_person(tenant_id=acme.tenant.pk, user_pk=bob)

        assert (told["item_ids"], told["clicked"]) == (ITEMS[:20], ["i002"])


def test_the_orders_that_are_served_follow_the_law_that_is_kept(acme):
    from recommendations.algorithms.offpolicy import plackett_luce
    from recommendations.serving.page.read_time_rules import rotation_weight

    start, draws = datetime(2026, 11, 30, tzinfo=UTC), 4_000
    raw = encode(
        provenance=Provenance(1, 1, "model", "2026-11-23T12:00:00Z"),
        owner="ann",
        entries=[Entry(item_id, 1.0, "") for item_id in ITEMS[:12]],
        reading={"rotate": 60},
    )
    resolved, subject = ResolvedList(decode(raw), None, {}), Subject(acme.tenant.pk, "ann", "home")
    seen = np.zeros((12, 5))
    for minute in range(draws):
        answer = pages_served.render(
            resolved=resolved, subject=subject, options=Options(limit=5), now=start + timedelta(minutes=minute)
        )
        assert answer.page is not None
        assert answer.page.rotation is not None
        assert answer.page.rotation.places == tuple(range(12))
        for place, item_id in enumerate(answer.page.item_ids):
            seen[ITEMS.index(item_id), place] += 1

    chances = plackett_luce.chances(tuple(rotation_weight(place) for place in range(12)), 5)
    assert np.abs(seen / draws - chances).max() < 4.5 * np.sqrt(0.25 / draws)
