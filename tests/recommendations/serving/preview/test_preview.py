"""Preview of a version: made like a build makes it and read like the API reads it, without any trace."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from core import clock, redis
from core.errors import Conflict, NotFound
from recommendations.models import EndUser, Item
from recommendations.placements import versions
from recommendations.serving.preview.preview import preview
from tests import worlds
from tests.outages import redis_away
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.conftest import COLD, ITEMS, PEOPLE
from tests.recommendations.pipeline.generated import build_now, fill, happen

KIND = "categories contains 'kind 0'"
RULES = {
    "kinds": [{"kind": "for_you", "take": 3}, {"kind": "latest", "take": 1}],
    "filter": f"not {KIND} or item_id = 'i0004'",
    "boosts": [{"when": "item_id in ['i0041', 'i0042', 'i0043', 'i0045']", "factor": 50}],
    "caps": [{"attribute": "categories", "most": 3, "within": 10}],
    "hide": ["i0005", "i0006", "i0007"],
    "pins": [{"item_id": "i0059", "position": 2}],
}


@pytest.fixture
def acme(committed_db, cast):
    """A tenant with people, whose lists have been built without any rules."""
    tenant = cast.acme.tenant

    def make():
        fill(tenant, people=PEOPLE, items=ITEMS, cold=COLD)
        build_now(tenant)

    worlds.begin_with("preview", make)
    return tenant


def draft(tenant, rules):
    return versions.create_draft(tenant_id=tenant.pk, placement="home", rules=rules, now=clock.now())


def seen(tenant, user_id="u0001", *, number=None, limit=20, now=None):
    return preview(
        tenant_id=tenant.pk, placement="home", number=number, user_id=user_id, now=now or clock.now(), limit=limit
    )


def ids(side):
    return [item.item_id for item in side.items]


class TestPreview:
    def test_shows_what_a_build_makes_of_the_draft_and_says_what_the_rules_did(self, acme, cast):
        draft(acme, RULES)
        http = cast.acme.http
        served = [each["item_id"] for each in http.get("/api/v1/users/u0001/recommendations").json()["items"]]

        found = seen(acme)

        assert ids(found.served) == served
        assert (found.state, found.served.source, found.would.source) == ("draft", "model", "model")
        would = {item.item_id: item for item in found.would.items}
        rules = {item_id: {deed.rule: deed.detail for deed in item.rules} for item_id, item in would.items()}
        assert ids(found.would)[1] == "i0059"
        assert rules["i0059"]["pins"] == "at position 2"
        boosted = {item_id for item_id, did in rules.items() if did.get("boosts") == "score times 50 (boost 1)"}
        assert boosted
        assert boosted <= {"i0041", "i0042", "i0043", "i0045"}
        assert [item_id for item_id, did in rules.items() if did.get("kinds") == "from latest"]
        assert any("3 with its categories" in did["caps"] for did in rules.values() if "caps" in did)
        out = {each.item_id: each.rule for each in found.left_out}
        assert set(out.values()) <= {"hide", "filter", "consumed"}
        assert {rule for item_id, rule in out.items() if int(item_id[1:]) % 4 == 0} <= {"filter", "consumed"}
        assert not out.keys() & would.keys()
        for item in found.would.items:
            assert item.was == (served.index(item.item_id) + 1 if item.item_id in served else None)
        assert "Without AI" in found.notes[0]

        versions.publish_version(tenant_id=acme.pk, placement="home", number=1, now=clock.now())
        build_now(acme)
        after = [each["item_id"] for each in http.get("/api/v1/users/u0001/recommendations").json()["items"]]
        assert after == ids(found.would)
        again = seen(acme, number=1)
        assert (again.state, ids(again.served)) == ("serving", after)

    @pytest.mark.slow
    def test_writes_nothing_and_asks_neither_redis_nor_ai(self, acme):
        draft(acme, RULES)
        before = {key: redis.client().get(key) for key in redis.client().scan_iter("*:[lr]:*")}

        with redis_away(), scope.tenant(acme.pk), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            for user_id in ("u0001", "u0041"):
                assert len(seen(acme, user_id).would.items) == 20
            with pytest.raises(InternalError, match="read-only"), transaction.atomic():
                Item.objects.filter(item_id="i0001").update(hidden=True)  # a write would have been noticed

        assert {key: redis.client().get(key) for key in redis.client().scan_iter("*:[lr]:*")} == before

    @pytest.mark.slow
    def test_is_of_this_moment(self, acme):
        now = clock.now()
        since, until = (now + timedelta(days=days) for days in (1, 2))
        pin = {"item_id": "i0059", "position": 1, "from": since.isoformat(), "until": until.isoformat()}
        draft(acme, {"pins": [pin], "rotate_minutes": 60})
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0001").update(hidden=True, updated_at=now)

        today, tomorrow = seen(acme), seen(acme, now=since)

        assert ids(today.would)[0] != ids(tomorrow.would)[0] == "i0059"
        assert any("not pinned at position 1 now" in note for note in today.notes)
        assert not any("not pinned" in note for note in tomorrow.notes)
        assert "i0001" not in ids(today.served) + ids(today.would)

    @pytest.mark.slow
    def test_tells_of_people_without_a_list_and_of_what_was_chosen_since(self, acme):
        draft(acme, {"fallback": ["latest"], "exploration": 0})
        with scope.tenant(acme.pk):
            EndUser.objects.create(tenant=acme, user_id="new")
        first = ids(seen(acme).served)[0]
        happen(acme, "u0001", first)

        new, known = seen(acme, "new"), seen(acme)

        assert (new.served.degraded, new.served.source) == ("no_build", "popular")
        assert (new.would.source, {deed.rule for item in new.would.items for deed in item.rules}) == ("static", set())
        assert [each.rule for each in known.left_out if each.item_id == first] == ["consumed"]
        assert first not in ids(known.would)

    @pytest.mark.slow
    def test_names_what_there_is_not(self, acme, cast):
        with pytest.raises(NotFound, match="no draft"):
            seen(acme)
        draft(acme, {})
        with pytest.raises(NotFound, match="version 7"):
            seen(acme, number=7)
        with pytest.raises(NotFound, match="no end user"):
            seen(acme, "stranger")
        create_placement(tenant_id=acme.pk, name="shelf")  # newer than the build: as `home` will be
        versions.create_draft(tenant_id=acme.pk, placement="shelf", rules={"hide": ["i0001"]}, now=clock.now())
        shelf = preview(tenant_id=acme.pk, placement="shelf", number=1, user_id="u0001", now=clock.now())
        assert (shelf.served.degraded, len(shelf.would.items)) == ("no_build", 20)
        stranger = cast.globex.tenant
        create_placement(tenant_id=stranger.pk, name="home")
        draft(stranger, {})
        with scope.tenant(stranger.pk):
            EndUser.objects.create(tenant=stranger, user_id="u0001")
        with pytest.raises(Conflict, match="no build"):
            seen(stranger)


class TestCommand:
    def run(self, *arguments):
        out = StringIO()
        call_command("preview_placement", *arguments, stdout=out)
        return out.getvalue()

    @pytest.mark.slow
    def test_prints_both_sides_and_json(self, acme):
        draft(acme, RULES)

        table = self.run("acme", "home", "--draft", "--user", "u0001")
        told = json.loads(self.run("acme", "home", "--version", "1", "--user", "u0001", "--limit", "5", "--json"))

        assert "pins: at position 2" in table
        assert "Left out:" in table
        assert [item["rank"] for item in told["would"]["items"]] == [1, 2, 3, 4, 5]
        assert told["would"]["items"][1]["rules"][-1] == {"rule": "pins", "detail": "at position 2"}
        assert (told["tenant"], told["version"], told["state"], told["user_id"]) == ("acme", 1, "draft", "u0001")

    def test_says_what_cannot_be_done(self, cast):
        with pytest.raises(CommandError, match="no tenant"):
            self.run("nobody", "home", "--draft", "--user", "u")
        with pytest.raises(CommandError, match="Unknown placement"):
            self.run("acme", "nowhere", "--draft", "--user", "u")
        with pytest.raises(CommandError, match="1 to 100"):
            self.run("acme", "home", "--draft", "--user", "u", "--limit", "0")


class TestAdmin:
    def browser(self, *permissions, tenant=None):
        user = User.objects.create_user("staff", "staff@example.org", "correct horse battery staple", is_staff=True)
        user.tenant = tenant
        user.save()
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        browser = Client()
        browser.force_login(user)
        return browser

    @pytest.mark.slow
    def test_shows_the_page_to_those_who_may_see_versions_and_people(self, acme):
        version = draft(acme, RULES)
        browser = self.browser("view_placementversion", "view_enduser", tenant=acme)
        url = reverse("admin:recommendations_placementversion_preview", args=[version.pk])

        page = browser.get(url, {"user": "u0001"})
        unknown = browser.get(url, {"user": "<script>"}).content.decode()

        text = page.content.decode()
        assert "pins: at position 2" in text
        assert "hidden at this placement" in text
        assert "<script" not in text.partition('id="content"')[2]
        assert "style=" not in text.partition('id="content"')[2]
        assert "There is no end user" in unknown
        assert "user &#x27;&lt;script&gt;" in unknown

    @pytest.mark.slow
    def test_is_closed_to_others(self, acme, cast):
        version = draft(acme, {})
        url = reverse("admin:recommendations_placementversion_preview", args=[version.pk])

        assert self.browser("view_placementversion", tenant=acme).get(url, {"user": "u0001"}).status_code == 403
        User.objects.all().delete()
        stranger = self.browser("view_placementversion", "view_enduser", tenant=cast.globex.tenant)
        assert stranger.get(url, {"user": "u0001"}).status_code == 404
