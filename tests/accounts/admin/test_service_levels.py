"""The admin's page of service levels, and the rows behind it."""

import pytest
from django.urls import reverse

from core import clock
from core.series import store
from core.series.rows import Row

PAGE, ROWS = reverse("admin:core_service_levels"), reverse("admin:core_metricminute_changelist")


@pytest.fixture
def minute(db):
    start = int(clock.now().timestamp()) // 60 * 60 - 120
    bounds = (0.01, 0.078, 0.22)
    row = Row(count=40, total=0.2, buckets=[39, 1, 0, 0])
    store.add({(start, "requests", ("user-recommendations", "GET", "2xx"), bounds): row})
    store.add({(start, "process", ("web",), ()): Row(count=12, total=60)})


def test_shows_the_last_hours_under_the_pages_policy(root, minute):
    answer = root.get(PAGE, {"hours": "1"})
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "1 of 60 minutes" in page
    assert "user-recommendations" in page
    nonce = page.partition('<style nonce="')[2].partition('"')[0]
    assert nonce
    assert f"'nonce-{nonce}'" in answer["Content-Security-Policy"]
    assert "(24 h)" in root.get(PAGE, {"hours": "9999"}).content.decode()


def test_lists_rows_that_nobody_may_change(root, minute):
    page = root.get(ROWS).content.decode()

    assert "user-recommendations, GET, 2xx" in page
    assert root.get(ROWS + "add/").status_code == 403


def test_is_the_deployments_and_hidden_from_a_tenants_staff(confined, minute):
    for address in (PAGE, ROWS):
        assert confined.get(address).status_code == 403
