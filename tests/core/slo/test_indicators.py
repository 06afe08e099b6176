"""Service level indicators from time series: formulas, percentiles, windows, and their page."""

import json
import math
import random
import re
from bisect import bisect_left
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path
from statistics import quantiles

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from core.series import store
from core.series.rows import Row
from core.slo import page, snapshot
from core.slo.indicators import objective_state, requests_of, worst_minutes
from core.slo.matchers import compile_matchers
from core.slo.objectives import load_objectives
from core.slo.percentiles import percentile
from core.slo.sources import MINUTE, BuiltInSource, Increase, Window

SLO = load_objectives(Path(settings.BASE_DIR) / "config/slo.toml")
AVAILABILITY, READS = (next(each for each in SLO.objectives if each.name == name) for name in ("availability", "reads"))
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.078, 0.1, 0.15, 0.22, 0.5, 1.0, 2.5, 5.0, 10.0)
END = 1_790_000_040
START = END - 3600


def answered(minute, count, *, route="user-recommendations", method="GET", status="2xx", seconds=0.003):
    """Rows of requests that took so long each."""
    buckets = [0] * (len(BOUNDS) + 1)
    buckets[next(place for place, bound in enumerate((*BOUNDS, math.inf)) if seconds <= bound)] = count
    row = Row(count=count, total=count * seconds, buckets=buckets)
    store.add({(minute, "requests", (route, method, status), BOUNDS): row})


def web(*minutes):
    """A web process counted in these minutes."""
    store.add({(minute, "process", ("web",), ()): Row(count=12, total=60.0) for minute in minutes})


def counted(family, labels, count, minute=START):
    store.add({(minute, family, labels, ()): Row(count=count)})


def evenly(share, counts):
    """As Prometheus's `histogram_quantile`."""
    wanted = share * sum(counts)
    below = list(accumulate(counts, initial=0))
    place = next(place for place in range(len(counts)) if below[place + 1] >= wanted)
    lower = BOUNDS[place - 1] if place else 0.0
    return lower + (BOUNDS[place] - lower) * (wanted - below[place]) / counts[place]


class TestPercentiles:
    def test_are_close_though_buckets_are_wide(self):
        """Over distributions of latencies, two in five with a second mode."""
        drawn = random.Random(3)
        errors: dict[str, list[float]] = {"log-normal": [], "even": []}
        for number in range(50):
            median, sigma = math.exp(drawn.uniform(math.log(0.0015), math.log(0.2))), drawn.uniform(0.2, 1.0)
            values = [drawn.lognormvariate(math.log(median), sigma) for _ in range(1000)]
            if number % 5 < 2:
                values += [drawn.lognormvariate(math.log(4 * median), 0.4) for _ in range(100)]
            counts = [0] * (len(BOUNDS) + 1)
            for value in values:
                counts[bisect_left(BOUNDS, value)] += 1
            exact = quantiles(values, n=20)[18]
            errors["log-normal"].append(abs((percentile(0.95, BOUNDS, counts) or 0.0) / exact - 1))
            errors["even"].append(abs(evenly(0.95, counts) / exact - 1))
        middle, high = ({name: quantiles(found, n=10)[at] for name, found in errors.items()} for at in (4, 8))

        print(f"error of p95, median: {middle}; 90th percentile: {high}")
        assert middle["log-normal"] < 0.03
        assert high["log-normal"] < 0.1 < high["even"]

    @pytest.mark.parametrize(
        ("counts", "share", "expected"),
        [
            ([0, 0, 0], 0.95, None),
            ([0, 0, 4], 0.5, 0.2),  # beyond the last bound
            ([10, 0, 0], 0.5, 0.05),  # evenly in the first bucket
            ([0, 10, 0], 1.0, 0.2),
        ],
    )
    def test_of_none_few_and_all(self, counts, share, expected):
        assert percentile(share, (0.1, 0.2), counts) == (None if expected is None else pytest.approx(expected))


class TestMatchers:
    def test_are_prometheus_s(self):
        holds = compile_matchers('route!~"admin|healthz", method="GET", status=~"5.."')

        assert holds({"route": "admin-list", "method": "GET", "status": "503"})
        assert holds({"route": "lists", "method": "GET", "status": "5xx"})
        for other in ({"route": "admin"}, {"method": "POST"}, {"status": "200"}, {"status": ""}):
            assert not holds({"route": "lists", "method": "GET", "status": "500", **other})

    @pytest.mark.parametrize("text", ["route", 'route="a" method="b"', 'route=="a"', "route=a"])
    def test_are_refused_where_they_are_none(self, text):
        with pytest.raises(ValueError, match="no label matchers"):
            compile_matchers(text)


class TestTheWorstFiveMinutes:
    def rows(self, *errors):
        for place, bad in enumerate(errors):
            at = START + place * MINUTE
            yield Increase(at, {"route": "lists", "method": "GET", "status": "2xx"}, 100 - bad)
            yield Increase(at, {"route": "lists", "method": "GET", "status": "5xx"}, bad)

    def worst(self, rows, covered, minimum=100):
        return worst_minutes(rows, valid='route!="admin"', covered=covered, minimum_requests=minimum)

    def test_are_found_across_any_boundary(self):
        minutes = [START + place * MINUTE for place in range(10)]
        found = self.worst(self.rows(0, 0, 0, 1, 5, 0, 5, 1, 0, 0), minutes)

        assert (found.start, found.errors, found.share) == (START + 3 * MINUTE, 12, 12 / 500)

    def test_reach_over_no_gap_and_count_no_invalid_request(self):
        minutes = [START + place * MINUTE for place in range(11) if place != 5]
        rows = [*self.rows(0, 1, 0, 0, 0), Increase(START, {"route": "admin", "method": "GET", "status": "5xx"}, 50)]
        found = self.worst(rows, minutes)

        assert (found.start, found.errors) == (START, 1)
        assert self.worst(self.rows(1, 1, 1, 1), minutes[:4]) is None

    def test_prefer_those_with_enough_requests(self):
        few = [Increase(START + 600, {"route": "lists", "method": "GET", "status": "5xx"}, 1)]
        minutes = [START + place * MINUTE for place in range(30)]
        found = self.worst([*self.rows(0, 0, 2, 0, 0), *few], minutes)

        assert (found.start, found.errors, found.requests, found.enough) == (START + 2 * MINUTE, 2, 300, True)
        assert self.worst(few, minutes).enough is False


@pytest.mark.django_db
class TestObjectives:
    def test_are_judged_over_the_window_by_burn_and_by_budget(self):
        answered(START, 9990)
        answered(START, 5, status="5xx")
        answered(END - 60, 5, status="5xx")
        answered(END - 60, 95)
        answered(END - 60, 1000, route="admin", status="5xx")
        answered(END, 1000, status="5xx")  # after the window
        answered(END - 20 * 86_400, 10_000)
        state = objective_state(BuiltInSource(), AVAILABILITY, SLO, Window(START, END))

        assert (state.requests, state.bad, state.met) == (10_095, 10, True)
        assert state.good_share == pytest.approx(1 - 10 / 10_095)
        assert state.budget_left == pytest.approx(1 - 10 / (20_095 * 0.001))
        last = {(each.long, each.short): each for each in state.burns}
        assert last["30m", "2m"].long_burn == pytest.approx(5 / 100 / 0.001)
        assert last["30m", "2m"].alerting
        assert not last["1h", "5m"].alerting  # short of 14.4 in the long window

    def test_of_latency_count_the_answers_within_their_bound(self):
        answered(START, 90, seconds=0.2)
        answered(START, 10, seconds=0.3)
        answered(START, 50, route="events", method="POST", seconds=1.0)
        (found,) = requests_of(BuiltInSource(), READS, Window(START, END), step=3600).values()

        assert (found.requests, found.bad, found.good_share) == (100, 10, 0.9)

    def test_have_no_share_without_requests(self):
        state = objective_state(BuiltInSource(), READS, SLO, Window(START, END))

        assert (state.good_share, state.met, state.burn, state.budget_left) == (None, None, None, None)
        assert not any(each.alerting for each in state.burns)


@pytest.fixture
def hour(db):
    """An hour with traffic of which the minutes 10 to 19 and 40 are missing."""
    known = [START + place * MINUTE for place in range(60) if not 10 <= place < 20 and place != 40]
    web(*known)
    for minute in known:
        answered(minute, 100)
        answered(minute, 10, route="events", method="POST", seconds=0.03)
    answered(START, 3, status="5xx", seconds=0.4)
    counted("lists", ("model", "none"), 90)
    counted("lists", ("popular", "unknown_user"), 10)
    counted("ai_eligible", (), 50)
    counted("ai_fallbacks", ("timeout",), 4)
    counted("ai_cost", ("false",), 0.25)
    store.add({(START, "redis", (), (0.001, 0.01)): Row(count=100, buckets=[50, 50, 0])})
    store.add_gauge("queue_age", {"docent.quick": 3.5}, now=datetime.fromtimestamp(START, UTC))
    return Window(START, END)


class Attributes(HTMLParser):
    """Addresses that a page asks for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "data", "action")]
        assert tag not in ("script", "link", "iframe", "img")


class TestASnapshot:
    def test_says_what_it_measured_and_what_it_lacks(self, hour):
        now = datetime.fromtimestamp(END, UTC)
        taken = snapshot.take(BuiltInSource(), SLO, hour, now=now, simulated=True)

        assert taken["kind"] == "simulated"
        assert [each["minutes"] for each in taken["window"]["gaps"]] == [10, 1]
        assert taken["window"]["covered_share"] == pytest.approx(49 / 60)
        assert [(each["route"], each["requests"], each["errors"]) for each in taken["endpoints"]] == [
            ("user-recommendations", 4903, 3),
            ("events", 490, 0),
        ]
        assert 0.0025 < taken["reads"]["p95"] < 0.005
        assert taken["reads"]["within_78_ms"] == pytest.approx(4900 / 4903)
        assert (taken["worst_five_minutes"]["errors"], taken["worst_five_minutes"]["requests"]) == (3, 553)
        assert [(each["source"], each["share"]) for each in taken["lists"]] == [("model", 0.9), ("popular", 0.1)]
        assert (taken["ai"]["fallback_rate"], taken["ai"]["cost_usd"]) == (0.08, 0.25)
        assert 0.001 < taken["redis"]["p95"] < 0.01
        assert taken["queues"] == {"docent.quick": 3.5}
        curve = taken["curves"]["requests"]
        assert (len(curve), curve[0], curve[1], curve[10:20], curve[40]) == (60, 113, 110, [None] * 10, None)
        json.dumps(taken, allow_nan=False)

    def test_is_a_page_that_asks_nobody(self, hour):
        taken = snapshot.take(BuiltInSource(), SLO, hour, now=datetime.fromtimestamp(END, UTC), simulated=False)
        text = page.render(taken)
        attributes = Attributes()
        attributes.feed(text)

        assert attributes.found == []
        assert not re.search(r"https?://|@import|url\(", text)
        assert text.count("<svg") == 8
        assert "prefers-color-scheme: dark" in text
        assert ">observed<" in text
        assert "simulated" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)

    def test_of_no_data_is_a_page_too(self, db):
        taken = snapshot.take(
            BuiltInSource(), SLO, Window(START, END), now=datetime.fromtimestamp(END, UTC), simulated=False
        )

        assert taken["window"]["covered_minutes"] == 0
        assert "no data" in page.render(taken)

    def test_is_written_by_the_command(self, hour, tmp_path, capsys):
        until = datetime.fromtimestamp(END, UTC).isoformat()
        call_command("sli_snapshot", window="1h", until=until, out=tmp_path / "new", simulated=True)

        document = json.loads(next((tmp_path / "new").glob("*.json")).read_text(encoding="utf-8"))
        assert document["kind"] == "simulated"
        assert document["window"]["covered_minutes"] == 49
        assert "49 of 60 minutes" in capsys.readouterr().out
        assert ">simulated<" in next((tmp_path / "new").glob("*.html")).read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"window": "48"}, "--window"),
            ({"until": "yesterday"}, "--until"),
            ({"prometheus": "localhost:9090"}, "no URL"),
            ({"prometheus": "http://127.0.0.1:1"}, "refused"),
        ],
    )
    def test_is_refused_with_the_remedy(self, db, tmp_path, options, fault):
        with pytest.raises(CommandError, match=fault):
            call_command("sli_snapshot", out=tmp_path, **options)
