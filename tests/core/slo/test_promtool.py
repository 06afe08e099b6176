"""Each alert fires just beyond its threshold and not just short of it; a threshold that is off by 20 % breaks that."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from core.slo.objectives import load_alerts, load_objectives
from core.slo.prometheus_rules import alert_rules, burn_alert_name, slo_rules
from tests.core.slo.alert_cases import CASES, promtool_file, requests, steadily

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed"),
]
ROOT = Path(settings.BASE_DIR)
SLO = load_objectives(ROOT / "config/slo.toml")
ALERTS = load_alerts(ROOT / "config/alerts.toml")
MUTATIONS = (0.8, 1.2)
(AVAILABILITY,) = [each for each in SLO.objectives if each.name == "availability"]


def holds(folder, rules, series, *, alert, fires, minutes):
    """True if promtool finds the alert in the state that is expected."""
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    step = "1m" if minutes < 600 else "5m"
    file = promtool_file(["rules.yml"], series, alert=alert, fires=fires, minutes=minutes, step=step)
    (folder / "test.yml").write_text(yaml.safe_dump(file), encoding="utf-8")
    run = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode in (0, 1), run.stderr
    assert "error" not in run.stderr.lower() or "FAILED" in run.stdout + run.stderr, run.stderr
    return run.returncode == 0


def both_sides_hold(folder, rules, name, case, threshold):
    """True if the alert fires beyond the threshold, and not short of it."""
    return holds(
        folder, rules, case.series(case.beyond(threshold)), alert=name, fires=True, minutes=case.minutes
    ) and holds(folder, rules, case.series(case.short_of(threshold)), alert=name, fires=False, minutes=case.minutes)


class TestAlerts:
    @pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
    def test_fires_beyond_its_threshold_only_and_notices_another_one(self, tmp_path, alert):
        case = CASES[alert.name]

        assert both_sides_hold(tmp_path, alert_rules([alert]), alert.name, case, alert.threshold)
        for factor in MUTATIONS:
            mutated = alert_rules([replace(alert, threshold=alert.threshold * factor)])
            assert not both_sides_hold(tmp_path, mutated, alert.name, case, alert.threshold), factor

    def test_no_data_at_all_pages(self, tmp_path):
        rules = alert_rules(ALERTS)

        assert holds(tmp_path, rules, [], alert="NoRequestMetrics", fires=True, minutes=10)


class TestBurnRates:
    @pytest.mark.parametrize("burn", SLO.burns, ids=lambda burn: f"{burn.severity}-{burn.long}-{burn.factor:g}")
    @pytest.mark.parametrize("objective", SLO.objectives, ids=lambda objective: objective.name)
    def test_fires_beyond_its_ratio_only_and_notices_another_one(self, tmp_path, objective, burn):
        name, case, ratio = (
            burn_alert_name(objective, burn),
            steadily(objective, burn),
            burn.factor * objective.budget,
        )

        def rules(factor=1.0):
            return slo_rules(replace(SLO, objectives=(objective,), burns=(replace(burn, factor=burn.factor * factor),)))

        assert both_sides_hold(tmp_path, rules(), name, case, ratio)
        for factor in MUTATIONS:
            assert not both_sides_hold(tmp_path, rules(factor), name, case, ratio), factor

    @pytest.mark.parametrize(
        ("phases", "name", "fires"),
        [
            pytest.param([(0.0, 60), (0.015, 40)], "AvailabilityPage30m", True, id="1.5 % for 40 minutes"),
            pytest.param([(0.0, 60), (1.0, 2)], "AvailabilityPage1h", True, id="an outage of two minutes"),
            pytest.param([(0.0, 60), (0.05, 2)], "AvailabilityPage1h", False, id="5 % for two minutes"),
            pytest.param([(0.0, 60), (0.05, 2)], "AvailabilityPage30m", False, id="5 % for two minutes, short windows"),
            pytest.param([(0.0013, 450)], "AvailabilityTicket6h", True, id="0.13 % for seven hours"),
            pytest.param([(0.0013, 450)], "AvailabilityPage6h", False, id="0.13 % pages nobody"),
            pytest.param([(0.013, 120)], "AvailabilityPage1h", False, id="1.3 % is below 14.4"),
            pytest.param([(0.02, 90), (0.0, 6)], "AvailabilityPage1h", False, id="ends six minutes after the errors"),
        ],
    )
    def test_course_of_an_incident(self, tmp_path, phases, name, fires):
        # Each phase begins a minute after the last sample of the one before; alerts may see the minute before's ratios.
        minutes = sum(minutes for _, minutes in phases) + len(phases)

        series = requests(AVAILABILITY, *phases)
        assert holds(tmp_path, slo_rules(SLO), series, alert=name, fires=fires, minutes=minutes)

    def test_one_error_of_three_pages_nobody(self, tmp_path):
        series = requests(AVAILABILITY, (0.33, 90), per_minute=0.5)

        assert holds(tmp_path, slo_rules(SLO), series, alert="AvailabilityPage1h", fires=False, minutes=90)
        assert not holds(
            tmp_path,
            slo_rules(replace(SLO, minimum_requests=0)),
            series,
            alert="AvailabilityPage1h",
            fires=False,
            minutes=90,
        )
