"""Texts that read like an address."""

import pytest

from recommendations.text_safety.links import holds_address, reads_as_link

ADDRESSES = [
    "evil.com",
    "see evil.museum today",
    "ev1l.tk/x",
    "b1t.ly/abc",
    "t.co",
    "evil[dot]com",
    "evil(.)com",
    "evil dot com",
    "evil punkt de",
    "evil\uff0ecom",
    "evil\u3002com",
    "münchen.example",
    "https evil",
    "HXXP://evil",
    "www evil",
    "10.0.0.1",
]


class TestTitles:
    @pytest.mark.parametrize("title", ADDRESSES)
    def test_with_an_address(self, title):
        assert holds_address(title)

    @pytest.mark.parametrize(
        "title",
        [
            "Face/Off (1997)",
            "S.W.A.T.",
            "E.T. the Extra-Terrestrial",
            "Dr. No",
            "Monsters, Inc.",
            "L.A. Confidential",
            "Mission: Impossible",
            "2.0 litre kettle",
            "Vol. 2: The Return",
            "...And Justice for All",
            "Ocean's Eleven",
            "The Dot and the Line",
            "Fifty/Fifty",
            "AC/DC: Live",
        ],
    )
    def test_without(self, title):
        assert not holds_address(title)


class TestWords:
    @pytest.mark.parametrize(
        "words", [*ADDRESSES, "evil .com", "evil . com", "evil. com", "evil,com", "host:80", "a/b", "#tag", "a\\b"]
    )
    def test_that_may_not_be_shown(self, words):
        assert reads_as_link(f"Because you liked this, {words}")

    @pytest.mark.parametrize(
        "words",
        ["Because you liked — and —", "More action, like —", "You enjoyed —. This is funny too.", "It's — again!"],
    )
    def test_that_are_plain(self, words):
        assert not reads_as_link(words)
