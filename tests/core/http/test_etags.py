"""Conditional requests: what counts as the same, and what a write may demand."""

import pytest
from rest_framework.test import APIRequestFactory

from core.errors import PreconditionFailed
from core.http import etags

TAG = etags.etag([1, "a"])
# As nginx, Apache, Jetty and others send the tag of an answer that they compressed.
CODED = [
    f"W/{TAG}",
    *(f'{TAG[:-1]}{end}"' for end in ("-gzip", "--gzip", ";gzip", "-br", "-zstd")),
    f'W/{TAG[:-1]}-gzip"',
]


def _request(**headers):
    return APIRequestFactory().get("/", **headers)


class TestEtag:
    def test_is_strong_and_tells_its_parts_apart(self):
        assert TAG.startswith('"')
        assert etags.etag([1, "a"]) == TAG
        assert len({TAG, etags.etag([1, "b"]), etags.etag(["1", "a"]), etags.etag([1])}) == 4


class TestAnswer:
    @pytest.mark.parametrize("known", [TAG, *CODED, f'"x", {TAG}', f'W/"x", {CODED[1]}', "*"])
    def test_does_not_build_the_body_of_what_is_known(self, known):
        def body():
            raise AssertionError

        assert etags.conditional_response(_request(HTTP_IF_NONE_MATCH=known), tag=TAG, body=body).status_code == 304

    @pytest.mark.parametrize(
        "known", ["", '"x"', "nonsense", TAG.strip('"'), f'{TAG[:-1]}-x"', f'"-gzip{TAG[1:]}', '"-gzip"']
    )
    def test_answers_what_is_not_known(self, known):
        answer = etags.conditional_response(_request(HTTP_IF_NONE_MATCH=known), tag=TAG, body=lambda: {"a": 1})

        assert (answer.status_code, answer.data, answer["ETag"]) == (200, {"a": 1}, TAG)


class TestRequire:
    @pytest.mark.parametrize(
        ("headers", "tag"),
        [
            ({}, None),
            ({"HTTP_IF_MATCH": TAG}, TAG),
            ({"HTTP_IF_MATCH": f'"x", {TAG}'}, TAG),
            ({"HTTP_IF_MATCH": "*"}, TAG),
            *(({"HTTP_IF_MATCH": coded}, TAG) for coded in CODED),
            ({"HTTP_IF_NONE_MATCH": "*"}, None),
            ({"HTTP_IF_NONE_MATCH": '"x"'}, TAG),
        ],
    )
    def test_lets_a_write_pass(self, headers, tag):
        etags.check_preconditions(_request(**headers), tag=tag)

    @pytest.mark.parametrize(
        ("headers", "tag"),
        [
            ({"HTTP_IF_MATCH": TAG}, None),
            ({"HTTP_IF_MATCH": "*"}, None),
            ({"HTTP_IF_MATCH": '"x"'}, TAG),
            ({"HTTP_IF_MATCH": 'W/"x"'}, TAG),
            ({"HTTP_IF_MATCH": f'{TAG[:-1]}-x"'}, TAG),
            ({"HTTP_IF_MATCH": "nonsense"}, TAG),
            ({"HTTP_IF_NONE_MATCH": "*"}, TAG),
            *(({"HTTP_IF_NONE_MATCH": coded}, TAG) for coded in CODED),
        ],
    )
    def test_refuses_a_write(self, headers, tag):
        with pytest.raises(PreconditionFailed):
            etags.check_preconditions(_request(**headers), tag=tag)
