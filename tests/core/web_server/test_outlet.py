"""Answers that a client takes slowly, or not at all."""

import socket
import threading

import pytest

from core.web_server.client import ClientTooSlow, Collected, Outlet, Pace, Streamed


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    theirs.settimeout(10)
    yield ours, theirs
    ours.close()
    theirs.close()


class TestOutlet:
    def test_head_and_body_go_out_together(self, pair):
        ours, theirs = pair
        outlet = Outlet(ours, 0.0)
        outlet.sendall(b"head ")
        outlet.sendall(b"body")
        assert outlet.flush()

        assert theirs.recv(100) == b"head body"

    @pytest.mark.parametrize("part", [1_000, 70_000, 5_000_000])
    def test_what_is_not_taken_is_left_in_its_order_and_does_not_block(self, pair, part):
        """Up to some megabytes in memory, then in a file."""
        ours, theirs = pair
        outlet = Outlet(ours, 0.0)
        wanted = bytearray()
        for number in range(12_000_000 // part):
            data = bytes([number % 251]) * part
            wanted += data
            outlet.sendall(data)
        assert outlet.count > 9_000_000
        assert sum(len(each) for each in outlet._left) <= outlet.MOST_LEFT

        found = bytearray()

        def read():
            while len(found) < len(wanted):
                found.extend(theirs.recv(1 << 20))

        reader = threading.Thread(target=read)
        reader.start()
        while not outlet.flush():
            pass
        reader.join(10)
        assert found == wanted
        outlet.close()

    def test_a_client_that_has_gone_is_an_error(self, pair):
        ours, theirs = pair
        theirs.close()

        with pytest.raises(OSError, match=r"[Bb]roken pipe"):
            Outlet(ours, 0.0).sendall(b"x" * 100_000)

    def test_an_answer_that_broke_off_is_not_completed(self, pair):
        ours, theirs = pair
        outlet = Outlet(ours, 0.0)
        outlet.sendall(b"half")
        outlet.shutdown(socket.SHUT_WR)
        outlet.flush()

        assert theirs.recv(100) == b""


class TestStreamed:
    def test_first_what_was_read_then_what_comes(self, pair):
        ours, theirs = pair
        theirs.sendall(b"second")
        theirs.shutdown(socket.SHUT_WR)
        source = Streamed(b"first ", ours, Pace(5, 1000))

        assert b"".join(iter(lambda: source.recv(4), b"")) == b"first second"

    def test_who_sends_nothing_is_given_up(self, pair):
        source = Streamed(b"", pair[0], Pace(0.1, 1000))

        with pytest.raises(ClientTooSlow):
            source.recv(10)

    def test_each_byte_gives_a_little_more_time_and_not_the_whole_of_it(self, pair):
        ours, theirs = pair
        source = Streamed(b"", ours, Pace(0.2, 100))
        stop = threading.Event()

        def drip():
            while not stop.wait(0.05):
                theirs.sendall(b".")

        thread = threading.Thread(target=drip)
        thread.start()
        found = bytearray()

        def read():
            while len(found) < 1000:
                found.extend(source.recv(10))

        with pytest.raises(ClientTooSlow):
            read()
        stop.set()
        thread.join()
        assert len(found) < 20

    def test_the_time_that_the_service_takes_does_not_count(self, pair):
        ours, theirs = pair
        source = Streamed(b"", ours, Pace(0.2, 1000))
        for _ in range(3):
            theirs.sendall(b"a")
            assert source.recv(10) == b"a"
            threading.Event().wait(0.15)


def test_collected_ends():
    source = Collected(b"abc")
    assert [source.recv(2), source.recv(2), source.recv(2)] == [b"ab", b"c", b""]
