"""Objectives and alerts are read strictly, and whatever is generated from them is what the repository holds."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from core.management.commands.slo_rules import generate
from core.slo.objectives import InvalidRules, load_alerts, load_objectives
from core.slo.prometheus_rules import RUNBOOKS, alert_rules, slo_rules

ROOT = Path(settings.BASE_DIR)
SLO, ALERTS = ROOT / "config/slo.toml", ROOT / "config/alerts.toml"


def changed(tmp_path, source, old, new):
    """A copy of the file with one change."""
    text = source.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / source.name
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


class TestLoadObjectives:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("target = 0.999", "target = 99.9", "objective availability: target is a share"),
            ("seconds = 0.22", "", "objective reads: give either errors or seconds"),
            ('short = "5m"', 'short = "2h"', "burn 1h/2h: short is shorter than long"),
            ('long = "1h"', 'long = "1 hour"', "burn 1 hour/5m: windows are like 30m or 6h"),
            ('severity = "page"', 'severity = "panic"', "severity is one of page, ticket"),
            ("factor = 14.4", "faktor = 14.4", "there is no faktor; there are severity, long, short, factor"),
            ('name = "reads"', 'name = "availability"', "availability is there twice"),
            ("window_days = 30", "window_days = 0", "window_days is a whole number of at least 1"),
            ("window_days = 30", "window_days = ", "slo.toml is not TOML"),
        ],
    )
    def test_names_the_entry_and_the_fault(self, tmp_path, old, new, message):
        with pytest.raises(InvalidRules, match=re.escape(message)):
            load_objectives(changed(tmp_path, SLO, old, new))

    def test_budget_is_the_rest_of_the_target(self):
        assert [each.budget for each in load_objectives(SLO).objectives] == [0.001, 0.05]


class TestLoadAlerts:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("> {threshold}", "> 0.01", "alert RedisSlow: expr contains {threshold}"),
            ('hold = "5m"', 'hold = "5 min"', "alert NoRequestMetrics: hold is like 5m"),
            ("threshold = 1\n", "", "missing 1 required keyword-only argument: 'threshold'"),
        ],
    )
    def test_names_the_entry_and_the_fault(self, tmp_path, old, new, message):
        with pytest.raises(InvalidRules, match=re.escape(message)):
            load_alerts(changed(tmp_path, ALERTS, old, new))


class TestGeneratedFiles:
    def test_are_those_of_the_repository(self):
        stale = [str(path) for path, text in generate(ROOT).items() if path.read_text(encoding="utf-8") != text]

        assert stale == [], "Run manage.py slo_rules."

    def test_check_fails_where_one_differs(self, tmp_path, settings):
        for name in ("config/slo.toml", "config/alerts.toml", "docs/operations/slo.md"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / "config/prometheus").mkdir()
        settings.BASE_DIR = tmp_path

        with pytest.raises(CommandError, match=r"slo\.rules\.yml, config/prometheus/alerts\.rules\.yml"):
            call_command("slo_rules", check=True)
        call_command("slo_rules")
        call_command("slo_rules", check=True)


class TestAlerts:
    def test_each_has_a_severity_and_a_section_in_the_runbooks(self):
        text = (ROOT / RUNBOOKS).read_text(encoding="utf-8")
        anchors = {title.lower() for title in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
        files = (slo_rules(load_objectives(SLO)), alert_rules(load_alerts(ALERTS)))
        rules = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]

        wanted = {rule["annotations"]["runbook"].partition("#")[2] for rule in rules}
        assert wanted == anchors
        assert {rule["labels"]["severity"] for rule in rules} == {"page", "ticket"}
