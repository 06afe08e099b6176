"""Tenants with next to nothing: no list is blank while there is an item to show, and none is unexplained."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.models import EndUser, EventType, Item
from recommendations.pipeline.builds.refresh_popular import refresh
from tests.recommendations.pipeline.generated import build_now, happen

PATHS = (
    "users/ann/recommendations",
    "users/nobody/recommendations",
    "recommendations/popular",
    "recommendations/popular?window=1d",
    "recommendations/trending",
    "recommendations/latest",
    "items/a/similar",
    "items/a/frequently-bought-together",
)
SESSION = {"events": [{"item_id": "a", "type": "view"}]}


def ask(member, **query):
    """Every kind's answer, by its path; without those that are 404 as there is no such item."""
    suffix = "&".join(f"{name}={value}" for name, value in query.items())
    told = {}
    for path in PATHS:
        answer = member.http.get(
            f"/api/v1/{path}{'&' if '?' in path else '?'}{suffix}" if suffix else f"/api/v1/{path}"
        )
        assert answer.status_code in ({200, 404} if path.startswith("items/") else {200}), answer.content
        if answer.status_code == 200:
            told[path] = answer.json()
    told["session"] = member.http.post("/api/v1/recommendations/session", {**SESSION, **query}, format="json").json()
    batch = member.http.post("/api/v1/recommendations/batch", {"user_ids": ["ann", "nobody"], **query}, format="json")
    told["batch 1"], told["batch 2"] = batch.json()["data"]
    return told


def check(told, *, shown, alone=False):
    """Each list is of `shown` items, and says why it is empty. With `alone`, what is about an item has no other."""
    for path, answer in told.items():
        ids = [item["item_id"] for item in answer["items"]]
        assert set(ids) <= set(shown), path
        assert len(ids) == len(set(ids))
        assert all(item["reason"] for item in answer["items"])
        if not ids:
            assert (answer["source"], answer["degraded"]) == ("static", "no_items"), (path, answer)
        empty_is_right = not shown or (path.startswith("items/") and alone)
        assert bool(ids) is not empty_is_right, (path, answer)


@pytest.fixture
def acme(committed_db, cast):
    return cast.acme


def fill(member, *item_ids, **fields):
    with scope.tenant(member.tenant.pk):
        Item.objects.bulk_create(Item(tenant=member.tenant, item_id=each, title=each, **fields) for each in item_ids)


class TestTiny:
    def test_nothing_at_all(self, acme):
        check(ask(acme), shown=())
        assert build_now(acme.tenant, until="scoring").status == "failed"
        check(ask(acme), shown=())

    @pytest.mark.parametrize("item_ids", ["a", "abc"])
    def test_a_few_items_and_nobody(self, acme, item_ids):
        fill(acme, *item_ids)

        check(ask(acme), shown=item_ids, alone=len(item_ids) == 1)

    @pytest.mark.slow
    @pytest.mark.parametrize("item_ids", ["a", "abc"])
    def test_a_few_items_and_one_person_who_has_chosen_all_of_them(self, acme, item_ids):
        fill(acme, *item_ids)
        happen(acme.tenant, "ann", *item_ids)
        build_now(acme.tenant)

        check(ask(acme), shown=item_ids, alone=len(item_ids) == 1)

    def test_one_person_without_a_history(self, acme):
        fill(acme, "a", "b", "c")
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.create(tenant=acme.tenant, user_id="ann")

        check(ask(acme), shown="abc")

    def test_only_hidden_items(self, acme):
        fill(acme, "a", "b", "c", hidden=True)
        happen(acme.tenant, "ann", "a", "b")
        build_now(acme.tenant)

        check(ask(acme), shown=())

    def test_items_that_are_not_there_yet(self, acme):
        fill(acme, "a", available_from=clock.now() + timedelta(days=1))
        happen(acme.tenant, "ann", "a")

        check(ask(acme), shown=())

    def test_events_of_a_type_that_nobody_has_explained(self, acme):
        fill(acme, "a", "b", "c")
        for user_id in ("ann", "bob"):
            acme.http.post("/api/v1/events", {"user_id": user_id, "item_id": "a", "type": "hum"}, format="json")
        build_now(acme.tenant)

        told = ask(acme)

        check(told, shown="abc")
        assert told["recommendations/popular"]["source"] == "popular"

    def test_events_that_say_nothing_or_speak_against(self, acme):
        fill(acme, "a", "b", "c")
        for kind in ("impression", "dislike"):
            acme.http.post("/api/v1/events", {"user_id": "ann", "item_id": "a", "type": kind}, format="json")
        assert build_now(acme.tenant, until="scoring").status == "failed"

        check(ask(acme), shown="abc")

    @pytest.mark.slow
    def test_all_that_a_build_found_is_hidden_since_and_something_else_is_there(self, acme):
        fill(acme, "a", "b", "c")
        for user_id in ("ann", "bob"):
            happen(acme.tenant, user_id, "a", "b", "c")
        build_now(acme.tenant)
        ask(acme)
        for item_id in "abc":
            acme.http.patch(f"/api/v1/items/{item_id}", {"hidden": True}, format="json")
        assert acme.http.put("/api/v1/items/d", {"title": "New"}, format="json").status_code == 201

        check(ask(acme), shown="d")
        refresh(tenant_id=acme.tenant.pk, now=clock.now())
        check(ask(acme), shown="d")

    @pytest.mark.parametrize("query", [{"category": "none"}, {"filter": "attributes.x > 3"}])
    def test_a_request_that_nothing_meets_says_so(self, acme, query):
        fill(acme, "a", "b", "c")
        happen(acme.tenant, "ann", "a", "b")
        happen(acme.tenant, "bob", "a", "c")
        build_now(acme.tenant)

        for path, answer in ask(acme, **query).items():
            assert (answer["items"], answer["source"], answer["degraded"]) == ([], "static", "no_items"), path
            assert answer["next"] is None


class TestAVisit:
    def ask(self, acme, *events, **options):
        body = {"events": [{"item_id": item_id, **more} for item_id, more in events], **options}
        answer = acme.http.post("/api/v1/recommendations/session", body, format="json")
        assert answer.status_code == 200, answer.content
        return [item["item_id"] for item in answer.json()["items"]], answer.json()

    @pytest.fixture
    def acme(self, acme):
        """Users of a choose b; c and d go together; e is alone."""
        fill(acme, *"abcde")
        for number in range(6):
            happen(acme.tenant, f"left{number}", "a", "b")
            happen(acme.tenant, f"right{number}", "c", "d")
        build_now(acme.tenant)
        return acme

    def test_is_in_the_order_of_its_times_where_all_are_said(self, acme):
        late, early = ({"occurred_at": f"2026-11-0{day}T00:00:00Z"} for day in (2, 1))

        assert self.ask(acme, ("a", late), ("c", early))[0][0] == "b"
        assert self.ask(acme, ("a", early), ("c", late))[0][0] == "d"
        assert self.ask(acme, ("a", late), ("c", {}))[0][0] == "d"

    def test_does_not_follow_what_was_turned_down_and_does_not_show_it(self, acme):
        ids, answer = self.ask(acme, ("a", {"type": "view"}), ("c", {"type": "dislike"}))

        assert ids[0] == "b"
        assert "c" not in ids
        assert not any(each == {"item_id": "c"} for item in answer["items"] for each in item["evidence"])
        assert "c" not in self.ask(acme, ("c", {"type": "dislike"}))[0]

    def test_is_read_by_the_tenants_meaning(self, acme):
        with scope.tenant(acme.tenant.pk):
            EventType.objects.create(tenant=acme.tenant, name="skip", weight=-1)
            EventType.objects.create(tenant=acme.tenant, name="seen", weight=0)

        assert "c" not in self.ask(acme, ("a", {}), ("c", {"type": "skip"}))[0]
        assert self.ask(acme, ("a", {}), ("c", {"type": "seen"}))[0][0] == "b"

    def test_of_unknown_items_does_not_show_what_was_seen(self, acme):
        ids, answer = self.ask(acme, ("e", {}))

        assert answer["source"] in {"popular", "model"}
        assert ids
        assert "e" not in ids


class TestOptions:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("users/ann/recommendations?limit=1&limit=2", "limit"),
            ("users/ann/recommendations?window=1d", "window"),
            ("recommendations/popular?placement=home", "placement"),
            ("recommendations/latest?window=1d", "window"),
            ("items/a/similar?placement=home", "placement"),
            ("items/a/similar?category=x&category=y", "category"),
        ],
    )
    def test_that_say_nothing_here_are_refused_and_not_ignored(self, acme, path, name):
        fill(acme, "a")
        answer = acme.http.get(f"/api/v1/{path}")

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")
