"""A guard against slow reads: their processor time beside the peer's in the same run, never a time of the clock.

The floors are about half of what docs/benchmarks.md shows, so that only a real step back fails.
"""

import pytest

from tests.benchmarks.report import __main__ as report
from tests.benchmarks.report import results

FLOORS = {"a list of 20": 0.45, "the same, unchanged (304)": 0.4, "a batch of 100 users": 0.25}


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_reads_take_no_more_processor_time_than_they_may(tmp_path):
    path = tmp_path / "results"

    failed = report.run(["hot_read"], path, ["--rounds", "3", "--seconds", "1"])

    found = {each.work: each.processor or 0.0 for each in results.read(path)}
    assert not failed
    assert found.keys() == FLOORS.keys()
    assert {work: ratio for work, ratio in found.items() if ratio < FLOORS[work]} == {}
