"""A limit over real web processes."""

import threading
import time
from collections import Counter
from http.client import HTTPConnection

from accounts import scope
from accounts.models import Plan
from config.embedded.ports import LOOPBACK
from tests.core.web_process import serving

CLIENTS, CALLS = 8, 40


def test_is_exact_over_two_processes_and_holds_after_retry_after(committed_db, cast, tmp_path):
    with scope.all_tenants("test: a hundred a minute for each"):
        Plan.objects.update(read_per_minute=100, read_burst=100)
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def ask(connection, member):
        connection.request("GET", "/api/v1/items?limit=1", headers={"Authorization": f"Bearer {member.admin.token}"})
        response = connection.getresponse()
        response.read()
        return response

    def client():
        connection = HTTPConnection(LOOPBACK, web.port, timeout=20)
        for _ in range(CALLS):
            status = ask(connection, cast.acme).status
            with lock:
                statuses[status] += 1
        connection.close()

    with serving(tmp_path, WEB_CONCURRENCY="2", WEB_THREADS="4", REDIS_READ_TIMEOUT_SECONDS="5") as web:
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - started

        connection = HTTPConnection(LOOPBACK, web.port, timeout=20)
        while (refused := ask(connection, cast.acme)).status == 200:
            pass
        waited = int(refused.headers["Retry-After"])
        time.sleep(waited)
        after = ask(connection, cast.acme)
        stranger = ask(connection, cast.globex)
        connection.close()

    assert statuses.keys() == {200, 429}
    # A unit comes back every 0.6 s.
    assert 100 <= statuses[200] <= 100 + seconds / 0.6 + 1
    assert 1 <= waited <= 2
    assert after.status == 200
    assert stranger.status == 200
    assert '"read";r=99;' in stranger.headers["RateLimit"]
