"""A limit over real web processes: exact, told in its headers, counted, and nobody else's business."""

import threading
import time
from collections import Counter
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import Plan
from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK
from tests.core.ratelimit.structured_fields import parse_list
from tests.core.web_process import serving

CLIENTS = 8


def rejected(web):
    """`rate_limit_rejected_total` of reads, over both processes."""
    text = web.ask("GET", "/metrics").body.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rate_limit_rejected_total" and sample.labels == {"policy": "read"}
    )


@pytest.mark.parametrize(
    "calls", [pytest.param(40, marks=pytest.mark.slow), pytest.param(400, marks=pytest.mark.drill)]
)
def test_is_exact_over_two_processes_and_holds_after_retry_after(committed_db, cast, tmp_path, calls):
    with scope.all_tenants("test: a hundred a minute for each"):
        Plan.objects.update(read_per_minute=100, read_burst=100)
    statuses: Counter[int] = Counter()
    headers: list[tuple[str, str]] = []
    lock = threading.Lock()

    def ask(connection, member):
        connection.request("GET", "/api/v1/items?limit=1", headers={"Authorization": f"Bearer {member.admin.token}"})
        response = connection.getresponse()
        response.read()
        return response

    def client():
        connection = HTTPConnection(LOOPBACK, web.port, timeout=20)
        for _ in range(calls):
            response = ask(connection, cast.acme)
            with lock:
                statuses[response.status] += 1
                headers.append((response.headers["RateLimit-Policy"], response.headers["RateLimit"]))
        connection.close()

    with serving(tmp_path, WEB_CONCURRENCY="2", WEB_THREADS="4", REDIS_READ_TIMEOUT_SECONDS="5") as web:
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - started
        counted = rejected(web)

        connection = HTTPConnection(LOOPBACK, web.port, timeout=20)
        while (refused := ask(connection, cast.acme)).status == 200:
            pass
        waited = int(refused.headers["Retry-After"])
        time.sleep(waited)
        after = ask(connection, cast.acme)
        stranger = ask(connection, cast.globex)
        connection.close()

    print(f"{statuses[200]} of {CLIENTS * calls} accepted in {seconds:.1f} s; {seconds / 0.6:.1f} came back meanwhile")
    assert statuses.keys() == {200, 429}
    # A unit comes back every 0.6 s.
    assert 100 <= statuses[200] <= 100 + seconds / 0.6 + 1
    assert counted == statuses[429]
    assert_headers_agree(headers)
    assert dict(parse_list(refused.headers["RateLimit"]))["read"]["t"] == waited
    assert (1 <= waited <= 2, after.status, stranger.status) == (True, 200, 200)
    assert '"read";r=99;' in stranger.headers["RateLimit"]


def assert_headers_agree(headers):
    for policy, state in headers:
        assert dict(parse_list(policy))["read"] == {"q": 100, "w": 60}
        assert 0 <= dict(parse_list(state))["read"]["r"] < 100
