"""`manage.py event_types`: shows what types say, and changes one."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from accounts.tenancy import scope
from recommendations.models import EventType


def run(*name, **options):
    out = StringIO()
    call_command("event_types", *name, tenant="acme", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def acme(cast):
    with scope.tenant(cast.acme.tenant.pk):
        for name in ("rating", "gift"):
            EventType.objects.create(tenant=cast.acme.tenant, name=name)
    return cast.acme.tenant


class TestEventTypes:
    def test_shows_them_all(self, acme):
        assert run().splitlines() == [
            "gift: weight 1 (not set); values as strength: auto",
            "rating: weight 1; values as strength: auto",
        ]

    def test_changes_one_and_notes_it(self, acme):
        said = run("rating", negative_below=3.0, value_as_strength="threshold", half_life_days=90.0, weight=2.0)

        assert "effective with the next training" in said
        line = "rating: weight 2, below 3 against the item, half-life 90 days; values as strength: threshold"
        assert line in said
        with scope.all_tenants("test"):
            entry = AuditEntry.objects.latest("pk")
        assert (entry.target, entry.tenant_id) == ("rating", acme.pk)
        assert "negative_below 3.0" in entry.note
        assert "No change" in run("rating", negative_below=3.0)

    def test_goes_back_to_the_default(self, acme):
        run("gift", weight=4.0)

        assert "gift: weight 1 (not set)" in run("gift", weight="default")

    def test_adds_a_type_before_its_first_event(self, acme):
        assert "play: weight 1 (not set); values as strength: log" in run("play", value_as_strength="log")

    def test_says_what_cannot_be_done(self, acme):
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            call_command("event_types", tenant="nobody")
        with pytest.raises(CommandError, match="Name the type"):
            run(weight=1.0)
        with pytest.raises(CommandError, match="is not a valid type"):
            run("Not A Type", weight=1.0)
        with pytest.raises(CommandError, match="half"):
            run("gift", half_life_days=-1.0)
