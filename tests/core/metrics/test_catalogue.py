"""The catalogue of metrics: every family is declared once, documented, bounded, and used as declared."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from prometheus_client import REGISTRY

from core.metrics import families
from core.metrics.families import FORBIDDEN, Declarations, Family, Named, declared
from core.ops import declarations
from core.ops import metrics_catalogue as catalogue
from core.slo.objectives import load_alerts, load_objectives

ROOT = Path(settings.BASE_DIR)
FAMILIES = declarations.load()
ALERTS = load_alerts(ROOT / "config/alerts.toml")
SOURCES = [
    path
    for folder in ("core", "accounts", "recommendations", "workers", "config")
    for path in (ROOT / folder).rglob("*.py")
]


class TestPage:
    def test_is_that_of_the_code(self):
        call_command("metrics_catalogue", check=True)

    def test_check_fails_where_it_differs_and_writing_mends_it(self, tmp_path, settings):
        for name in ("config/slo.toml", "config/alerts.toml", "docs/operations/metrics.md"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        page = tmp_path / "docs/operations/metrics.md"
        page.write_text(page.read_text(encoding="utf-8").replace("`hit`", "`hits`"), encoding="utf-8")
        settings.BASE_DIR = tmp_path

        with pytest.raises(CommandError, match=r"Out of date: docs/operations/metrics\.md"):
            call_command("metrics_catalogue", check=True)
        call_command("metrics_catalogue")
        call_command("metrics_catalogue", check=True)

    def test_names_the_alerts_of_each_family(self):
        text = (ROOT / "docs/operations/metrics.md").read_text(encoding="utf-8")
        (row,) = [line for line in text.splitlines() if line.startswith("| `redis_command_duration_seconds`")]

        assert "[RedisSlow](alerts.md#redisslow)" in row
        assert "AvailabilityPage1h](alerts.md#availability)" in text


class TestDeclarations:
    def test_are_the_only_way_to_make_a_family(self):
        makes = re.compile(r"(?<!_)\b(Counter|Gauge|Histogram|Summary)\(\s*\"")
        found = [
            path.relative_to(ROOT).as_posix()
            for path in SOURCES
            if path.name != "families.py" and makes.search(path.read_text(encoding="utf-8"))
        ]

        assert found == []

    def test_stand_in_modules_that_the_catalogue_reads(self):
        uses = re.compile(
            r"^from core\.metrics\.families import .*\b(counter|gauge|histogram|measured)\b", re.MULTILINE
        )
        found = {
            path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            for path in SOURCES
            if uses.search(path.read_text(encoding="utf-8"))
        }

        assert found == set(settings.METRIC_MODULES)

    def test_have_standard_names_units_and_closed_labels(self):
        for family in FAMILIES.values():
            assert re.fullmatch(r"[a-z][a-z0-9_]+", family.name)
            assert (family.kind == "counter") == family.name.endswith("_total"), family.name
            assert family.kind != "histogram" or family.name.endswith("_seconds"), family.name
            assert family.meaning.endswith("."), family.name
            assert not FORBIDDEN & family.labels.keys()
            for values in family.labels.values():
                assert isinstance(values, Named) or 2 <= len(values) == len(set(values)) <= 40, family.name

    def test_a_tenant_is_no_label_and_a_name_is_taken_once(self):
        own = Declarations()
        own.add(Family("a_total", "counter", "A.", {"kind": ("x", "y")}, __name__))

        with pytest.raises(ValueError, match="a_total is declared twice"):
            own.add(Family("a_total", "counter", "B.", {}, __name__))
        with pytest.raises(ValueError, match="tenant would make a series for each"):
            own.add(Family("b_total", "counter", "B.", {"tenant": ("x", "y")}, __name__))

    def test_an_undeclared_value_of_a_label_is_an_error_in_tests_only(self, monkeypatch):
        made = families.counter("test_declared_total", "Of this test.", {"kind": ("x", "y")})
        try:
            made.labels("x").inc()
            with pytest.raises(ValueError, match="'z' is no declared value of the label kind"):
                made.labels("z")
            monkeypatch.setattr(declared, "strict", False)
            made.labels("z").inc()
        finally:
            declared.families.pop("test_declared_total")
            REGISTRY.unregister(made)

    def test_request_latency_resolves_the_objectives(self):
        assert {0.01, 0.078, 0.22} <= set(FAMILIES["docent_http_request_duration_seconds"].buckets)

    def test_served_lists_know_every_word_of_the_api(self):
        from recommendations.api.v1.serializers.recommendations import SOURCES as MADE_BY
        from recommendations.degradation import DEGRADED

        served = FAMILIES["docent_lists_served_total"].labels

        assert served == {"source": tuple(MADE_BY), "degraded": ["none", *DEGRADED]}


class TestAlerts:
    @pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
    def test_watch_declared_families_and_values(self, alert):
        names = catalogue.families_in(alert.expr)
        assert names or 'up{job="docent-' in alert.expr

        words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", re.sub(r'"[^"]*"', "", alert.expr)))
        bases = {re.sub(r"_(bucket|count|sum)$", "", word) for word in words}
        assert bases - FAMILIES.keys() - {"histogram_quantile", "max_over_time"} == set()
        for label, value in re.findall(r'(\w+)="([^"]*)"', alert.expr):
            if label not in ("job", "le"):
                assert any(value in FAMILIES[name].labels.get(label, ()) for name in names), (label, value)

    def test_the_objectives_are_of_a_declared_family(self):
        from core.slo.prometheus_rules import METRIC

        assert METRIC in FAMILIES
        assert load_objectives(ROOT / "config/slo.toml").objectives
