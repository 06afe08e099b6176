"""The command and the admin's page of estimates."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core import clock
from tests.recommendations.estimation.conftest import OTHER, draft
from tests.recommendations.estimation.shows import show
from tests.recommendations.estimation.test_estimate import HOUR, ROTATING
from tests.recommendations.lists import create_placement


def run(*arguments):
    out = StringIO()
    call_command("estimate", *arguments, stdout=out)
    return out.getvalue()


class TestCommand:
    @pytest.fixture
    def acme(self, made):
        tenant = made(ROTATING)
        draft(tenant, OTHER | ROTATING)
        show(tenant, times=20, apart=HOUR, until=clock.now() - 2 * HOUR, received=clock.now())
        return tenant

    def test_prints_both_estimates_and_json(self, acme):
        text = run("--tenant", "acme", "--placement", "home", "--draft")
        told = json.loads(run("--tenant", "acme", "--version", "2", "--json"))

        assert text.startswith("home, version 2 (draft)\n")
        assert "version 2, self-normalised IPS" in text
        assert "version 2, doubly robust" in text
        assert "Data: 1,200 pages of 60 users" in text
        assert "What AI would make of the head" not in text
        assert (told["tenant"], told["placement"], told["version"], told["state"]) == ("acme", "home", 2, "draft")
        assert told["verdict"]["enough"]
        snips = told["estimates"]["snips"]
        assert snips["low"] <= snips["value"] <= snips["high"]
        assert told["overlap"]["pages"] == 1200
        assert [arm["share"] for arm in told["arms"]] == [1.0]

    @pytest.mark.slow
    def test_fewer_pages_are_a_sample_of_people(self, acme):
        told = json.loads(run("--tenant", "acme", "--draft", "--json", "--pages", "100"))

        assert told["overlap"]["pages"] == 100
        assert told["overlap"]["people"] == 5
        assert not told["verdict"]["enough"]


@pytest.mark.django_db
class TestWhatCannotBeDone:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--tenant", "nobody", "--draft"], "no tenant 'nobody'"),
            (["--draft"], "Several tenants.*acme, globex"),
            (["--tenant", "acme", "--placement", "nowhere", "--draft"], "Unknown placement 'nowhere'"),
            (["--tenant", "acme", "--draft", "--days", "0"], "--days is a number from 1 to 92"),
            (["--tenant", "acme", "--draft", "--pages", "9"], "--pages is a number from 100"),
            (["--tenant", "acme"], "one of the arguments --version --draft"),
        ],
    )
    def test_is_said(self, cast, arguments, said):
        with pytest.raises(CommandError, match=said):
            run(*arguments)

    def test_of_a_version_names_those_there_are(self, cast):

        create_placement(tenant_id=cast.acme.tenant.pk, name="home")
        draft(cast.acme.tenant, OTHER)

        with pytest.raises(CommandError, match=r"no version 4\. Its versions are: 1\."):
            run("--tenant", "acme", "--version", "4")


class TestAdmin:
    @pytest.mark.slow
    def test_says_on_the_preview_what_the_version_would_bring(self, made):
        tenant = made(ROTATING)
        version = draft(tenant, OTHER | ROTATING)
        url = reverse("admin:recommendations_placementversion_preview", args=[version.pk])
        user = User.objects.create_user("staff", "staff@example.org", "correct horse battery staple", is_staff=True)
        user.tenant = tenant
        user.save()
        user.user_permissions.set(Permission.objects.filter(codename__in=["view_placementversion", "view_enduser"]))
        browser = Client()
        browser.force_login(user)
        before = browser.get(url, {"estimate": "1"}).content.decode()
        show(tenant, times=20, apart=HOUR, until=clock.now() - 2 * HOUR, received=clock.now())

        after = browser.get(url, {"estimate": "1"}).content.decode()

        assert "Not enough overlap: no page has been kept" in before
        assert "version 2, doubly robust" in after
        assert "Data: 1,200 pages" in after
        assert "Estimate clicks" in browser.get(url).content.decode()
