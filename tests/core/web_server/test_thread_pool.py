"""Connections rest until something comes on them, and belong to one side at a time."""

import socket
import threading
import time

import pytest

from core.web_server.thread_pool import RestingPool


@pytest.fixture
def pool():
    made = RestingPool(2)
    yield made
    made.shutdown()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    yield ours, theirs
    ours.close()
    theirs.close()


def wait_for(holds):
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


class TestRest:
    def test_a_thread_takes_it_once_for_each_rest(self, pool, pair):
        ours, theirs = pair
        taken = []
        pool.rest(ours.fileno(), lambda: taken.append(ours.recv(10)), is_new=True)
        theirs.sendall(b"one")
        wait_for(lambda: taken == [b"one"])

        theirs.sendall(b"two")
        time.sleep(0.1)
        assert taken == [b"one"]
        pool.rest(ours.fileno(), lambda: taken.append(ours.recv(10)), is_new=False)
        wait_for(lambda: taken == [b"one", b"two"])

    def test_who_claims_it_has_it(self, pool, pair):
        ours, theirs = pair
        taken = []
        pool.rest(ours.fileno(), lambda: taken.append(1), is_new=True)

        assert pool.claim(ours.fileno())
        assert not pool.claim(ours.fileno())
        theirs.sendall(b"x")
        time.sleep(0.1)
        assert taken == []

    def test_while_all_threads_are_busy_the_loop_can_take_it(self, pool, pair):
        ours, theirs = pair
        end, begun = threading.Event(), threading.Barrier(3)
        for _ in range(2):
            pool.submit(lambda: (begun.wait(10), end.wait(10)))
        begun.wait(10)
        wait_for(lambda: pool.is_busy)
        pool.rest(ours.fileno(), lambda: None, is_new=True)
        theirs.sendall(b"x")

        assert pool.was_busy
        assert pool.readable() == [ours.fileno()]
        assert not pool.claim(ours.fileno())
        end.set()
        wait_for(lambda: not pool.is_busy)


class TestSubmit:
    def test_returns_what_the_work_returns_or_raises(self, pool):
        assert [pool.submit(pow, 2, each).result(10) for each in range(5)] == [1, 2, 4, 8, 16]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(10)
