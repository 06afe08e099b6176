"""The end of a request, in whatever pieces it arrives; gunicorn's own parser must find the same."""

import random

import pytest
from gunicorn import http
from gunicorn.config import Config

from core.web_server.client import Collected
from core.web_server.framing import Frame, State
from core.web_server.worker import _same_framing

BODY = 1000
PLAIN = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
WITH_BODY = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
TWO_CHUNKS = CHUNKED + b"3\r\nabc\r\nA;note=1\r\n0123456789\r\n0\r\n\r\n"
TRAILERS = CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"


def frame():
    return Frame(max_line=100, max_head=800, most_body=lambda path: BODY)


def looked_at(data):
    found = frame()
    return found.look(bytearray(data)), found


class TestComplete:
    @pytest.mark.parametrize("request_bytes", [PLAIN, WITH_BODY, TWO_CHUNKS, TRAILERS, b"\r\n" + PLAIN])
    def test_it_ends_at_its_end_and_the_next_one_is_left_alone(self, request_bytes):
        state, found = looked_at(request_bytes + PLAIN)

        assert (state, found.end) == (State.COMPLETE, len(request_bytes))

    @pytest.mark.parametrize("request_bytes", [PLAIN, WITH_BODY, TWO_CHUNKS, TRAILERS])
    def test_in_pieces_it_is_complete_with_its_last_byte_and_not_before(self, request_bytes):
        found, buffer = frame(), bytearray()
        states = []
        for byte in request_bytes:
            buffer.append(byte)
            states.append(found.look(buffer))

        assert states[-1] is State.COMPLETE
        assert State.COMPLETE not in states[:-1]
        assert found.end == len(request_bytes)

    def test_what_it_says_about_its_body_is_known(self):
        assert looked_at(WITH_BODY)[1].length == 5
        assert looked_at(TWO_CHUNKS)[1].chunked
        assert looked_at(WITH_BODY.replace(b"Host: x", b"expect: 100-Continue"))[1].expects_continue
        assert looked_at(PLAIN)[1].path(bytearray(PLAIN)) == b"/a"

    def test_a_name_inside_another_or_in_the_body_does_not_count(self):
        request = b"GET / HTTP/1.1\r\nX-Content-Length: 5\r\nA: Content-Length: 7\r\n\r\n"

        assert looked_at(request)[1].length is None
        assert looked_at(request)[0] is State.COMPLETE


class TestTooLong:
    def test_a_body_that_says_so_is_known_before_it_comes(self):
        assert looked_at(b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n")[0] is State.TOO_LONG

    def test_chunks_are_when_so_much_has_come(self):
        start = CHUNKED + b"400\r\n"  # 1,024 bytes
        assert looked_at(start + b"x" * BODY)[0] is State.BODY
        assert looked_at(start + b"x" * (BODY + 1))[0] is State.TOO_LONG

    def test_so_are_chunks_that_are_mostly_sizes(self):
        tiny = b"1;" + b"e" * 2000 + b"\r\nx\r\n"
        assert looked_at(CHUNKED + tiny * 60)[0] is State.TOO_LONG


class TestOdd:
    """Left to the parser, which refuses it."""

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5_0\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            b"GET / HTTP/1.1\n\n",
            b"GET /" + b"a" * 200,
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 300,
            CHUNKED + b"zz\r\n",
            CHUNKED + b"-1\r\n",
            CHUNKED + b"3\r\nabcd\r\n",
            CHUNKED + b"3\nabc\r\n",
            CHUNKED + b"1" * 9000,
        ],
    )
    def test_is_known_at_once(self, request_bytes):
        assert looked_at(request_bytes)[0] is State.ODD


class TestAgainstTheParser:
    """A request that one of them takes to be longer than the other does would begin the next one in its middle."""

    def test_what_is_complete_for_us_is_what_the_parser_reads(self):
        draw = random.Random(7)
        pieces = [b"Content-Length: 5", b"content-length : 5", b"Content-Length: 05", b"Transfer-Encoding: chunked"]
        pieces += [b"transfer-encoding:\tchunked ", b"X: y", b"Content-Length: 5, 5", b" folded: 1", b"Host: x"]
        pieces += [
            b"X-Content-Length: 9",
            b"Transfer-Encoding: \x0bchunked",
            b"Content-Length: 5\r",
            b"Expect: 100-continue",
        ]
        bodies = [
            b"",
            b"abcde",
            b"5\r\nabcde\r\n0\r\n\r\n",
            b"0\r\n\r\n",
            b"5;a\r\nabcde\r\n0\r\nT: 1\r\n\r\n",
            b"5 \r\nabcde\r\n0\r\n\r\n",
        ]
        agreed, config = 0, Config()
        for _ in range(4000):
            headers = draw.sample(pieces, draw.randint(0, 3))
            request = b"\r\n".join([b"POST / HTTP/1.1", *headers, b"", b""]) + draw.choice(bodies)
            state, found = looked_at(request + PLAIN)
            if state is not State.COMPLETE:
                continue
            parser = http.get_parser(config, Collected((request + PLAIN)[: found.end]), ("127.0.0.1", 1))
            try:
                parsed = next(parser)
                parsed.body.read()
            except Exception:  # noqa: BLE001  # refused: the connection is closed, so nothing follows
                continue
            rest = parser.unreader.read(1)
            if rest:  # the worker sees this by the headers and closes the connection
                assert not _same_framing(found, parsed), request
            else:
                agreed += 1
        assert agreed > 500
