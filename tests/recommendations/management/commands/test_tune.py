"""`manage.py tune`: on a file and on a tenant; what it stores is what the next training uses."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.algorithms.metrics.bootstrap import Interval
from recommendations.algorithms.training import tuning
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.management.commands import tune as command
from recommendations.models import Tuning
from recommendations.pipeline.artefacts import parameters as tuned
from tests.recommendations.management.commands.test_evaluate import _events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def events_file(tmp_path):
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(map(json.dumps, _events())))
    return path


@pytest.fixture
def acme(cast):
    """A tenant with the events of the file."""
    record_events(tenant_id=cast.acme.tenant.pk, events=[read_event(raw, now=NOW) for raw in _events()], now=NOW)
    return cast.acme.tenant


def tuned_to(parameters, low, high):
    """A search result with such an interval of the difference."""
    interval = Interval((low + high) / 2, low, high)
    same = Interval(0.1, 0.05, 0.15)
    return tuning.TuningResult(
        protocol="last",
        users=40,
        current={},
        found=parameters,
        trials=(),
        complete=True,
        ndcg_current=same,
        ndcg_found=same,
        difference=interval,
        seconds=1.0,
    )


def run(**options):
    out = StringIO()
    call_command("tune", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def stored():
    with scope.all_tenants("test"):
        return {row.tenant.slug: row.parameters for row in Tuning.objects.select_related("tenant")}


class TestTune:
    @pytest.mark.slow
    def test_a_file_gives_what_was_tried_and_a_verdict(self, events_file):
        found = json.loads(run(events=events_file, seconds=15, json=True, validation="last"))

        assert found["protocol"] == "last"
        assert found["people"] == 40
        assert found["trials"]
        assert {"parameter", "value", "gain", "error", "kept"} <= found["trials"][0].keys()
        assert found["difference"][1] <= found["difference"][0] <= found["difference"][2]
        assert (found["present"], found["saved"]) == ({}, False)

    def test_a_tenant_is_told_the_verdict_and_nothing_is_written(self, acme, monkeypatch):
        monkeypatch.setattr(command, "tune", lambda *_, **__: tuned_to({"ease.l2": 1000.0}, 0.01, 0.03))

        said = run(tenant="acme")

        assert "Current: the defaults" in said
        assert "Found:   ease.l2 1000 (default 300)" in said
        assert "Better than the current parameters beyond noise" in said
        assert "Nothing was stored; use --save to store it." in said
        assert stored() == {}

    def test_what_is_saved_is_the_tenants_alone_until_it_is_reset(self, acme, cast, monkeypatch):
        monkeypatch.setattr(command, "tune", lambda *_, **__: tuned_to({"ease.l2": 1000.0}, -0.01, 0.03))

        said = run(tenant="acme", save=True)

        assert "Not worse than the current parameters beyond noise" in said
        assert "Stored: the tenant's next training uses it." in said
        assert stored() == {"acme": {"ease.l2": 1000.0}}
        assert tuned.load_parameters(tenant_id=acme.pk) == {"ease.l2": 1000.0}
        assert tuned.load_parameters(tenant_id=cast.globex.tenant.pk) == {}
        assert "The next training uses the defaults" in run(tenant="acme", reset=True)
        assert "The defaults are in use already" in run(tenant="acme", reset=True)
        assert stored() == {}

    def test_what_is_worse_beyond_noise_is_not_stored(self, acme, monkeypatch):
        monkeypatch.setattr(command, "tune", lambda *_, **__: tuned_to({"ease.l2": 1000.0}, -0.05, -0.01))

        said = run(tenant="acme", save=True)

        assert "Worse than the current parameters beyond noise" in said
        assert "Not stored: it is worse." in said
        assert stored() == {}

    def test_a_search_begins_with_the_tenants_present_choice(self, acme, monkeypatch):
        seen = {}
        monkeypatch.setattr(
            command, "tune", lambda _data, _options, present, **_: seen.update(present) or tuned_to({}, 0.0, 0.0)
        )
        tuned.save_parameters(tuned_to({"als.factors": 48}, 0.0, 0.1), tenant_id=acme.pk, now=NOW)

        run(tenant="acme")

        assert seen == {"als.factors": 48}

    @pytest.mark.parametrize(("asked", "expected"), [({}, "random"), ({"validation": "last"}, "last")])
    def test_folds_are_those_of_the_tenants_setting_unless_asked_for(self, acme, monkeypatch, asked, expected):
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=acme.pk).update(validation="random")
        seen = []

        def found(_data, options, *_, **__):
            seen.append(options.validation)
            return tuned_to({}, 0.0, 0.0)

        monkeypatch.setattr(command, "tune", found)

        said = run(tenant="acme", **asked)

        assert seen == [expected]
        assert "validation users. It was requested." in said

    def test_what_this_version_does_not_know_is_left_out(self, acme):
        tuned.save_parameters(
            tuned_to({"als.factors": 48, "gone.l2": 1.0, "ease.l2": -5.0}, 0.0, 0.1), tenant_id=acme.pk, now=NOW
        )

        assert tuned.load_parameters(tenant_id=acme.pk) == {"als.factors": 48}

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"save": True}, "--save requires --tenant"),
            ({"reset": True}, "--reset requires --tenant"),
            ({"seconds": 0.0}, "--seconds above 0"),
            ({"people": 0}, "--people at least 1"),
        ],
    )
    def test_says_what_does_not_go_together(self, db, events_file, options, expected):
        with pytest.raises(CommandError, match=expected):
            run(events=events_file, **options)

    def test_says_what_cannot_be_done(self, db, cast, tmp_path):
        path = tmp_path / "events.csv"
        path.write_text("user_id,item_id,type\nu,i,view\n")

        with pytest.raises(CommandError, match="enough history to judge by"):
            run(events=path)
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            run(tenant="nobody")
        with pytest.raises(CommandError, match="import events first"):
            run(tenant="globex")
