"""Dated pins stand at their positions in what is shown, whatever left the list since and however it is paged."""

import pytest

from accounts.tenancy import scope
from recommendations.models import Item
from tests.recommendations.attribution.test_served_pages import listed
from tests.recommendations.lists import publish

pytestmark = pytest.mark.django_db
ITEMS = [f"i{n:03}" for n in range(60)]
URL = "/api/v1/users/ann/recommendations"


@pytest.fixture
def acme(cast):
    publish(cast.acme.tenant, people={"ann": ITEMS[:40]}, items=ITEMS, popular=ITEMS[::-1], similar={})
    return cast.acme


def pin(item_id, position):
    return [item_id, position, None, None, "Featured"]


def ids(acme, **query):
    body = acme.http.get(URL, query).json()
    return [item["item_id"] for item in body["items"]], body["next"]


class TestPins:
    def test_count_what_is_shown(self, acme):
        listed(acme.tenant, "ann", reading={"pins": [pin("i055", 3)]})
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id="i000").update(hidden=True)

        assert ids(acme)[0][:4] == ["i001", "i002", "i055", "i003"]
        assert ids(acme, exclude=["i001", "i002"])[0][:4] == ["i003", "i004", "i055", "i005"]

    def test_count_what_meets_a_filter_and_must_meet_it_too(self, acme):
        listed(acme.tenant, "ann", reading={"pins": [pin("i050", 1), pin("i055", 3)]})

        shown = ids(acme, filter="not item_id in ['i000', 'i001', 'i050']")[0]

        assert shown[:4] == ["i002", "i003", "i055", "i004"]

    def test_do_not_move_up_for_one_that_is_gone(self, acme):
        listed(acme.tenant, "ann", reading={"pins": [pin("i050", 1), pin("i055", 2)]})
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id="i050").update(hidden=True)

        assert ids(acme)[0][:3] == ["i000", "i055", "i001"]

    def test_stand_at_their_position_on_a_later_page(self, acme):
        listed(acme.tenant, "ann", reading={"pins": [pin("i055", 2), pin("i056", 25)]})

        first, then = ids(acme)
        second, _ = ids(acme, cursor=then)

        assert [*first, *second].index("i055") == 1
        assert [*first, *second].index("i056") == 24
        assert len({*first, *second}) == 40
