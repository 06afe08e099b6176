"""Clients that send or take a byte now and then: they are given up, and nobody else notices them."""

import contextlib
import json
import socket
import threading
import time

import pytest

from tests.core import web_process

pytestmark = pytest.mark.journey
LOOPBACK = "127.0.0.1"
STATIC = "/static/drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
READ_SECONDS = 1.5
HEAD = f"POST /api/v1/auth/token HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: application/json\r\n"
HALVES = {
    "half a request line": b"POST /api",
    "half a header": HEAD.encode() + b"X-Half: ",
    "no byte of the body": HEAD.encode() + b"Content-Length: 4000\r\n\r\n",
    "half a body": HEAD.encode() + b'Content-Length: 4000\r\n\r\n{"grant_type":',
    "half a chunk": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{",
}


@pytest.fixture
def web(cast, committed_db, tmp_path):
    """One process with two threads: two slow clients would be enough."""
    limits = {"REQUEST_READ_SECONDS": str(READ_SECONDS), "REQUEST_BYTES_PER_SECOND": "2000", "UPLOAD_THREADS": "1"}
    with web_process.serving(tmp_path, WEB_CONCURRENCY="1", WEB_THREADS="2", **limits) as running:
        yield running


@pytest.mark.slow
def test_the_whole_of_it(web, cast):
    """One server for all that follows: to start one takes longer than each of these looks."""
    token = cast.acme.admin.token
    _halves_stop_nobody_and_are_answered_with_408(web)
    _one_byte_now_and_then_is_not_enough(web)
    _requests_that_follow_each_other_in_one_packet_are_answered_in_turn(web, token)
    _a_client_that_waits_to_be_told_to_go_on_is_told(web, token)
    _a_slow_upload_keeps_its_pace_or_is_given_up(web, token)
    _a_client_that_does_not_read_holds_nobody_up(web, token)
    _a_body_that_is_refused_is_answered_while_it_is_still_being_sent(web, token)
    _no_header_moves_the_path(web)
    _more_connections_than_may_be_open(web)


def connect(web):
    return socket.create_connection((LOOPBACK, web.port), timeout=10)


def received(connection):
    """Everything until the server closes the connection."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def others_are_served(web, times=5):
    """Liveness, readiness and an API answer; the slowest of them, in seconds."""
    slowest = 0.0
    for _ in range(times):
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/api/v1/items", 401)):
            started = time.monotonic()
            assert web.ask("GET", path).status == status
            slowest = max(slowest, time.monotonic() - started)
    return slowest


def _halves_stop_nobody_and_are_answered_with_408(web):
    with contextlib.ExitStack() as stack:
        slow = {}
        for number in range(20):
            name = list(HALVES)[number % len(HALVES)]
            connection = stack.enter_context(connect(web))
            connection.sendall(HALVES[name])
            slow[connection] = name
        started = time.monotonic()

        assert others_are_served(web) < 1

        for connection, name in slow.items():
            answer = received(connection)
            assert answer.startswith(b"HTTP/1.1 408 "), (name, answer)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"application/problem+json" in head
            assert json.loads(body)["code"] == "request_timeout"
        assert READ_SECONDS - 0.5 < time.monotonic() - started < READ_SECONDS + 2


def _one_byte_now_and_then_is_not_enough(web):
    def drip(connection, answers):
        with contextlib.suppress(OSError):
            connection.sendall(HALVES["half a body"])
            for _ in range(40):
                connection.sendall(b" ")
                time.sleep(0.1)
        answers.append(received(connection))

    answers: list[bytes] = []
    threads = []
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            thread = threading.Thread(target=drip, args=(stack.enter_context(connect(web)), answers))
            thread.start()
            threads.append(thread)
        assert others_are_served(web, 10) < 1
        for thread in threads:
            thread.join(15)

    assert len(answers) == 8  # given up long before all bytes had come


def _requests_that_follow_each_other_in_one_packet_are_answered_in_turn(web, token):
    body = b'{"title": "one"}'
    put = (
        f"PUT /api/v1/items/one HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    get = f"GET /api/v1/items/one HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n".encode()
    with connect(web) as connection:
        connection.sendall(put + get + b"\r\n" + get + b"Connection: close\r\n\r\n")
        answer = received(connection)

    assert answer.count(b"HTTP/1.1 201 ") == 1
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b'"title":"one"') == 3


def _a_client_that_waits_to_be_told_to_go_on_is_told(web, token):
    body = b'{"title": "told"}'
    with connect(web) as connection:
        connection.sendall(
            f"PUT /api/v1/items/told HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = received(connection)

    assert answer.startswith(b"HTTP/1.1 201 ")


def _upload_head(token, length):
    return (
        f"POST /api/v1/imports?kind=items HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _a_slow_upload_keeps_its_pace_or_is_given_up(web, token):
    row = b"item-000001,A title that is long enough to be a line\n"
    length = len(b"item_id,title\n") + len(row) * 120_000  # more than is collected
    with connect(web) as slow, connect(web) as waiting:
        slow.sendall(_upload_head(token, length) + b"item_id,title\n" + row)
        waiting.sendall(_upload_head(token, length) + b"item_id,title\n" + row)
        started = time.monotonic()
        assert others_are_served(web) < 1
        answer = received(slow)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert time.monotonic() - started < READ_SECONDS + 4
    with connect(web) as steady:
        steady.sendall(_upload_head(token, length) + b"item_id,title\n")
        for _ in range(120):
            steady.sendall(row * 1000)
            time.sleep(0.01)
        steady.settimeout(20)
        answer = steady.recv(65536)
    assert answer.startswith(b"HTTP/1.1 202 "), answer


def _a_client_that_does_not_read_holds_nobody_up(web, token):
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((LOOPBACK, web.port))
            request = f"GET {STATIC} HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode()
            connection.sendall(request * 20)  # twenty megabytes of answers that nobody reads
        time.sleep(0.5)
        assert others_are_served(web) < 1


def _a_body_that_is_refused_is_answered_while_it_is_still_being_sent(web, token):
    with connect(web) as connection:
        connection.sendall(
            f"PUT /api/v1/items/a HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 6000000\r\n\r\n".encode()
        )
        started = time.monotonic()
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - started < 4


def _no_header_moves_the_path(web):
    for name in ("SCRIPT_NAME", "PATH_INFO"):
        with connect(web) as connection:
            connection.sendall(
                f"GET /healthz HTTP/1.1\r\nHost: {LOOPBACK}\r\n{name}: /x\r\nConnection: close\r\n\r\n".encode()
            )
            answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 200 "), (name, answer)
        with connect(web) as connection:
            connection.sendall(
                f"GET /x/admin/login/ HTTP/1.1\r\nHost: {LOOPBACK}\r\n{name}: /x\r\nConnection: close\r\n\r\n".encode()
            )
            assert received(connection).startswith(b"HTTP/1.1 404 ")


def _more_connections_than_may_be_open(web):
    """1,000 of a process: the oldest that have sent no whole request make room."""
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            connection = stack.enter_context(connect(web))
            connection.sendall(b"GET /hea")
        assert web.ask("GET", "/healthz").status == 200
