"""A stop in order: announced, then nothing new is taken, and what has begun to come is answered."""

import http.client
import signal
import socket
import threading
import time

import pytest

from tests.core import web_process

pytestmark = pytest.mark.journey
LOOPBACK = "127.0.0.1"
DRAIN_SECONDS = 1.5


@pytest.fixture
def web(cast, committed_db, tmp_path):
    with web_process.serving(tmp_path, WEB_CONCURRENCY="1", DRAIN_SECONDS=str(DRAIN_SECONDS)) as running:
        yield running


@pytest.mark.slow
def test_no_request_is_lost(web):
    stopping, lost, answered = threading.Event(), [], []

    def ask_on():
        """As behind a balancer, which sends nothing more once readiness has failed."""
        connection = http.client.HTTPConnection(LOOPBACK, web.port, timeout=10)
        while not stopping.is_set():
            try:
                connection.request("GET", "/api/v1/items")
                answered.append(connection.getresponse().read())
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)
        connection.close()

    callers = [threading.Thread(target=ask_on) for _ in range(6)]
    for caller in callers:
        caller.start()
    time.sleep(0.5)
    with socket.create_connection((LOOPBACK, web.port), timeout=15) as half:
        half.sendall(f"GET /healthz HTTP/1.1\r\nHost: {LOOPBACK}\r\n".encode())
        web.process.send_signal(signal.SIGTERM)
        _wait_until(lambda: web.ask("GET", "/readyz").status == 503)
        stopping.set()
        for caller in callers:
            caller.join()
        time.sleep(DRAIN_SECONDS + 0.5)  # by now the process takes no more connections
        half.sendall(b"\r\n")
        answer = b"".join(iter(lambda: half.recv(65536), b""))
    web.process.wait(20)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    assert (lost, web.process.returncode) == ([], 0)
    assert len(answered) > 10


def _wait_until(holds):
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)
