"""`manage.py evaluate`: on a file without a database, and on a tenant."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
METRICS = {"ndcg@10", "recall@10", "recall@20", "hit_rate@10", "coverage@10"}


def _events():
    """Two tastes: even people take even items, each in the order of the items."""
    random = np.random.default_rng(7)
    for user in range(40):
        start = int(random.integers(0, 20))
        for step in range(10):
            item = 2 * ((start + step) % 20) + user % 2
            yield {
                "user_id": f"u{user}",
                "item_id": f"i{item}",
                "type": "view",
                "occurred_at": 10**9 + 1000 * step + user,
            }


@pytest.fixture
def events_file(tmp_path):
    path = tmp_path / "events.ndjson"
    rows = [*_events(), {"user_id": "u0", "item_id": "i0", "type": "impression"}, {"user_id": "u 0"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


class TestEvaluate:
    @pytest.mark.slow
    def test_a_file_needs_no_database(self, events_file):
        environment = {**os.environ, "DATABASE_URL": "postgresql://none@127.0.0.1:1/none", "DATABASE_OWNER_URL": ""}
        ran = subprocess.run(
            [sys.executable, "manage.py", "evaluate", "--events", str(events_file), "--validation", "last", "--json"],
            env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)
        assert report["protocol"] == "last10"
        assert report["models"].keys() >= {"popularity", "item_item"}
        for measured in (*report["models"].values(), report["served"]):
            assert measured.keys() >= METRICS
        assert report["chosen"]
        assert (report["source"]["rejected"], report["source"]["not_positive"]) == (1, 1)
        assert report["data"]["train_rows"] + report["data"]["test_rows"] == 400
        assert report["served"]["ndcg@10"] > report["models"]["popularity"]["ndcg@10"]

    @pytest.mark.slow
    def test_a_tenant_gives_what_its_file_gives(self, cast, events_file):
        events = [read_event(raw, now=NOW) for raw in _events()]
        record_events(tenant_id=cast.acme.tenant.pk, events=events, now=NOW)

        of_file, of_tenant = _json(events=events_file), _json(tenant="acme")

        assert of_tenant["served"] == of_file["served"]
        assert of_tenant["data"] == of_file["data"]

    def test_prints_a_table_and_the_meaning(self, events_file):
        out = StringIO()

        call_command(
            "evaluate", events=events_file, protocol="rand10", validation="random", stdout=out, stderr=StringIO()
        )

        assert "Every row is a positive" in out.getvalue()
        assert "served: the blend" in out.getvalue()
        assert "Against the best single part, " in out.getvalue()
        assert "for the same users, not worse beyond noise" in out.getvalue()
        assert "By history of users" in out.getvalue()
        assert "ndcg@10" in out.getvalue()

    @pytest.mark.slow
    def test_chooses_weights_as_a_build_does_whatever_the_protocol(self, events_file):
        out = StringIO()

        call_command("evaluate", events=events_file, protocol="rand10", stdout=out, stderr=StringIO())
        asked = _json(events=events_file, protocol="rand10", validation="random")

        built = _json(events=events_file)["chosen"]["validation"]
        assert built["fold"] != "random"
        assert f"Validation fold, inside the train part: {built['fold']}: " in out.getvalue()
        assert asked["chosen"]["validation"]["fold"] == "random"

    def test_says_what_cannot_be_done(self, cast, tmp_path):
        path = tmp_path / "events.csv"
        path.write_text("user_id,item_id,type\nu,i,view\n")

        with pytest.raises(CommandError, match="needs times"):
            _json(events=path, protocol="last10")
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            _json(tenant="nobody")
        path.write_text("who,what\n")
        with pytest.raises(CommandError, match="header"):
            _json(events=path)

    @pytest.mark.slow
    def test_measures_one_model_and_bounds_the_judges(self, events_file):
        report = _json(events=events_file, model=["item_item"], people=15, protocol="last10")

        assert list(report["models"]) == ["item_item"]
        assert report["data"]["test_people"] == 15
        low, high = report["served"]["ndcg@10_ci"]
        assert low <= report["served"]["ndcg@10"] <= high
        assert report["served"]["segments"]["sparse"]["people"] == 15
        assert {"novelty@10", "diversity@10", "popularity_bias@10"} <= report["served"].keys()

    @pytest.mark.slow
    def test_takes_the_catalogue_in(self, events_file, tmp_path):
        path = tmp_path / "items.csv"
        rows = [f"i{number},{'even' if number % 2 == 0 else 'odd'} w{number % 10},kind" for number in range(46)]
        path.write_text("\n".join(["item_id,title,categories", *rows]))

        report = _json(events=events_file, items=path, model=["text"])

        assert report["source"]["catalogue_items"] == 46
        assert report["data"]["cold_items"] == 6
        assert "text" in report["models"]

    @pytest.mark.slow
    def test_writes_a_report_that_loads_nothing(self, events_file, tmp_path):
        path = tmp_path / "report.html"

        report = _json(events=events_file, html=path, model=["popularity"])

        page = path.read_text()
        assert f"{report['served']['ndcg@10']:.4f}" in page
        assert page.count("<svg") == 4
        assert "Against the best single part, popularity: +" in page
        assert not any(word in page for word in ("http:", "https:", "<script", "url(", "<link", "<img"))


def _json(**options):
    out = StringIO()
    call_command("evaluate", json=True, stdout=out, **options)
    return json.loads(out.getvalue())


class TestValidation:
    @pytest.mark.slow
    def test_the_fold_is_that_of_the_tenants_next_build_unless_asked_for(self, cast):
        events = [read_event(raw, now=NOW) for raw in _events()]
        record_events(tenant_id=cast.acme.tenant.pk, events=events, now=NOW)
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=cast.acme.tenant.pk).update(validation="random")

        own = _json(tenant="acme", model=["popularity"])
        asked = _json(tenant="acme", model=["popularity"], validation="last")

        assert (own["chosen"]["validation"]["fold"], own["protocol"]) == ("random", "rand10")
        assert (asked["chosen"]["validation"]["fold"], asked["protocol"]) == ("last", "last10")

    @pytest.mark.slow
    def test_the_protocol_only_says_what_is_tested(self, events_file, tmp_path):
        out, path = StringIO(), tmp_path / "report.html"

        call_command(
            "evaluate",
            events=events_file,
            protocol="rand10",
            validation="last",
            model=["popularity"],
            html=path,
            stdout=out,
            stderr=StringIO(),
        )

        hint = "rand10 tests something other than the weights were chosen for, as in production; "
        assert "Protocol rand10, seed 0." in out.getvalue()
        assert "Validation fold, inside the train part: last: each user's last events; " in out.getvalue()
        assert f"Note: {hint}--validation random chooses them for it." in out.getvalue()
        assert hint in path.read_text()
        assert "each user&#x27;s last events" in path.read_text()


class TestParameters:
    def test_that_are_unknown_are_refused_by_name(self, events_file):
        with pytest.raises(CommandError, match=r"no parameter 'ease\.l3'"):
            _json(events=events_file, set=["ease.l3=4"])

    @pytest.mark.slow
    def test_are_those_that_are_set(self, events_file):
        report = _json(events=events_file, set=["ease.l2=1000"], model=["ease"])

        assert report["chosen"]["parameters"] == {"ease.l2": 1000.0}
        assert report["leads"]["ease"]["worse"] is False
