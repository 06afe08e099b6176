"""The dashboards are those of their source, name metrics that there are, and show the thresholds of alerts."""

import json
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from core.management.commands.dashboards import FOLDER, generate
from core.slo.dashboards import families_of, load_dashboards
from core.slo.objectives import InvalidRules, load_alerts, load_objectives

ROOT = Path(settings.BASE_DIR)
SOURCE = ROOT / "config/dashboards.toml"
OBJECTIVES = load_objectives(ROOT / "config/slo.toml")
DASHBOARDS = load_dashboards(SOURCE, OBJECTIVES)


def declared():
    """The names of metric families in the sources."""
    folders = [ROOT / name for name in ("core", "accounts", "recommendations", "workers")]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    return {name for text in texts for name in re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text)}


class TestGeneratedFiles:
    def test_are_those_of_the_repository(self):
        files = generate(ROOT)
        stale = [str(path) for path, text in files.items() if path.read_text(encoding="utf-8") != text]

        assert stale == [], "Run manage.py dashboards."
        assert set((ROOT / FOLDER).glob("*")) == files.keys()

    def test_check_fails_where_one_differs_or_nothing_describes_it(self, tmp_path, settings):
        for name in ("slo.toml", "alerts.toml", "dashboards.toml"):
            (tmp_path / "config").mkdir(exist_ok=True)
            (tmp_path / "config" / name).write_bytes((ROOT / "config" / name).read_bytes())
        settings.BASE_DIR = tmp_path
        with pytest.raises(CommandError, match=r"docent-overview\.json"):
            call_command("dashboards", check=True)
        call_command("dashboards")
        call_command("dashboards", check=True)
        (tmp_path / FOLDER / "old.json").write_text("{}")

        with pytest.raises(CommandError, match=r"Out of date: config/grafana/dashboards/old\.json"):
            call_command("dashboards", check=True)

    def test_panels_have_places_and_thresholds_of_alerts(self):
        alerts = {alert.name: alert.threshold for alert in load_alerts(ROOT / "config/alerts.toml")}
        lines = {}
        for path in (ROOT / FOLDER).glob("*.json"):
            board = json.loads(path.read_text(encoding="utf-8"))
            places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in board["panels"]}
            assert len(places) == len(board["panels"])
            assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in board["panels"])
            for panel in board["panels"]:
                if "alert" in panel.get("description", ""):
                    name = panel["description"].split()[-1].rstrip(".")
                    lines[name] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]

        assert len(lines) > 10
        assert lines.items() <= alerts.items()

    def test_grafana_is_told_where_they_are(self):
        compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
        provider = yaml.safe_load((ROOT / "config/grafana/provisioning/dashboards/docent.yml").read_text())
        path = provider["providers"][0]["options"]["path"]

        assert f"./{FOLDER}:{path}:ro" in compose["services"]["grafana"]["volumes"]


class TestExpressions:
    def test_name_families_that_the_code_declares(self):
        names = {name for each in DASHBOARDS for expr in each.expressions for name in families_of(expr)}

        assert len(names) > 30
        assert names - declared() == set()

    def test_families_are_found_among_labels_functions_and_recordings(self):
        assert families_of(
            'sum by (docent_no) (rate(docent_a_seconds_bucket{some_label="b_c", le!~"x"}[5m])) / slo:error_ratio:rate5m'
            " or topk(3, docent_b_total)"
        ) == {"docent_a_seconds", "docent_b_total"}


class TestSource:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('kind = "stat"', 'kind = "stats"', "panel Firing alerts: kind is one of timeseries, stat"),
            ("width = 12", "width = 25", "width 1 to 24"),
            ('unit = "reqps"', 'units = "reqps"', "unexpected keyword argument 'units'"),
            ('alert = "DegradedLists"', 'alert = "Degraded"', "panel Degraded lists: there is no alert Degraded"),
        ],
    )
    def test_names_the_entry_and_the_fault(self, tmp_path, old, new, message):
        for name in ("slo.toml", "alerts.toml", "dashboards.toml"):
            (tmp_path / "config").mkdir(exist_ok=True)
            text = (ROOT / "config" / name).read_text(encoding="utf-8")
            (tmp_path / "config" / name).write_text(text.replace(old, new, 1) if name == SOURCE.name else text)

        with pytest.raises(InvalidRules, match=re.escape(message)):
            generate(tmp_path)
