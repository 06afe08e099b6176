"""Bodies that come in chunks, and bodies that end early."""

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest

from core.http.wsgi_bodies import BodyEndedEarly, BodyTooLong, with_whole_bodies


def most(path):
    return 10


def received(read, **environ):
    """The body that the application reads, and the length it is told."""
    found = []

    def application(environ, start_response):
        found.append((read(environ["wsgi.input"]), environ.get("CONTENT_LENGTH")))
        return [b""]

    with_whole_bodies(application, max_bytes=most, large={"/large": 1000})(dict(environ), lambda *_: None)
    return found[0]


def chunked(body):
    return {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}


class TestChunked:
    def test_gets_its_length(self):
        assert received(lambda stream: stream.read(), **chunked(b"12345")) == (b"12345", "5")

    def test_none_at_all_has_length_zero(self):
        assert received(lambda stream: stream.read(), **chunked(b"")) == (b"", "0")

    def test_one_that_is_too_long_is_told_as_such_and_not_read_to_its_end(self):
        endless = BytesIO(b"x" * 1000)

        _, length = received(lambda _: b"", **{"wsgi.input": endless, "wsgi.input_terminated": True})

        assert length == "11"
        assert endless.tell() == 11

    def test_a_server_that_does_not_say_where_it_ends_is_not_waited_for(self):
        assert received(lambda _: b"", **{"wsgi.input": BytesIO(b"12345")}) == (b"", None)


class TestLarge:
    """Paths that take more get it as it comes."""

    def test_is_handed_on_without_being_read(self):
        body = BytesIO(b"x" * 500)

        found, length = received(lambda stream: (stream.read(20), body.tell()), **large(body))

        assert (found, length) == ((b"x" * 20, 20), "1000")

    def test_ends_where_it_ends(self):
        assert received(lambda stream: (stream.read(600), stream.read(600)), **large(BytesIO(b"x" * 1000)))[0] == (
            b"x" * 600,
            b"x" * 400,
        )

    @pytest.mark.parametrize("read", [lambda s: s.read(), lambda s: s.read(1000), lambda s: s.read(600) + s.read(400)])
    def test_breaks_off_where_it_is_too_long(self, read):
        with pytest.raises(BodyTooLong):
            received(read, **large(BytesIO(b"x" * 1001)))

    def test_is_what_django_reads_from(self):
        def read(environ, _):
            request = WSGIRequest({**environ, "REQUEST_METHOD": "POST"})
            found.append(request.read(3) + request.readline() + request.read(500))
            return [b""]

        found: list[bytes] = []
        with_whole_bodies(read, max_bytes=most, large={"/large": 1000})(large(BytesIO(b"12345\n789")), lambda *_: None)

        assert found == [b"12345\n789"]

    def test_other_paths_take_what_they_took(self):
        assert received(lambda _: b"", **{**large(BytesIO(b"x" * 500)), "PATH_INFO": "/large/1"})[1] == "11"


def large(body):
    return {"wsgi.input": body, "wsgi.input_terminated": True, "PATH_INFO": "/large"}


class TestWhole:
    @pytest.mark.parametrize("read", [lambda s: s.read(), lambda s: s.read(5), lambda s: s.read(2) + s.read(100)])
    def test_is_read_to_its_length_and_no_further(self, read):
        environ = {"wsgi.input": BytesIO(b"12345next request"), "CONTENT_LENGTH": "5"}

        assert received(read, **environ) == (b"12345", "5")

    def test_by_lines(self):
        environ = {"wsgi.input": BytesIO(b"a\nbc\nd"), "CONTENT_LENGTH": "6"}

        assert received(lambda s: [s.readline(), s.readline(), s.readline(), s.readline()], **environ)[0] == [
            b"a\n",
            b"bc\n",
            b"d",
            b"",
        ]

    @pytest.mark.parametrize("read", [lambda s: s.read(), lambda s: s.read(100), lambda s: s.readline()])
    def test_a_part_is_not_taken_for_the_whole(self, read):
        with pytest.raises(BodyEndedEarly, match="5 bytes of the body are missing"):
            received(read, **{"wsgi.input": BytesIO(b"12345"), "CONTENT_LENGTH": "10"})
