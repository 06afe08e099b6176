"""The stored form: what goes in comes out, and other bytes are refused."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.cache.list_codec import (
    HEAD,
    ORDER,
    Chance,
    Corrupt,
    Entry,
    Exploration,
    Provenance,
    decode,
    encode,
)

MADE = Provenance(7, 3, "ai", "2026-11-23T12:00:00Z", artefact=5, degraded=None, simulated=True)
entries = st.lists(
    st.builds(
        Entry,
        item_id=st.text(min_size=1, max_size=20),
        score=st.floats(allow_nan=False, allow_infinity=False, width=32),
        reason=st.text(max_size=60),
        evidence=st.lists(st.text(min_size=1, max_size=8), max_size=2).map(tuple),
        part=st.sampled_from(["item_item", "popularity", ""]),
    ),
    max_size=100,
)


class TestRoundTrip:
    @given(entries)
    def test_every_entry_comes_back_in_order(self, made):
        stored = decode(encode(provenance=MADE, owner="u", entries=made))

        assert stored.entries() == [entry.as_dict(rank) for rank, entry in enumerate(made, start=1)]
        assert stored.parts == tuple(entry.part for entry in made)
        assert stored.total == len(made)
        assert stored.provenance == MADE

    def test_the_head_is_ready_to_send(self):
        made = [Entry(f"i{n}", 1.0, "r") for n in range(50)]

        stored = decode(encode(provenance=MADE, owner="u", entries=made))

        assert [item["item_id"] for item in json.loads(b"[" + stored.head + b"]")] == list(stored.head_ids)
        assert len(stored.head_ids) == HEAD

    def test_what_was_drawn_comes_back_and_takes_no_byte_where_nothing_was(self):
        made = [Entry("a", 1, "r")]
        explored = Chance(0.25, Exploration(0.1, 300, 40, (2, 7), ("k18", "k19")), told=True)

        for chance in (Chance(0.5), Chance(told=False), explored):
            assert decode(encode(provenance=MADE, owner="u", entries=made, chance=chance)).chance == chance
        certain = encode(provenance=MADE, owner="u", entries=made, chance=Chance())
        assert certain == encode(provenance=MADE, owner="u", entries=made)
        assert decode(certain).chance == Chance()
        drawn = encode(provenance=MADE, owner="u", entries=made, chance=Chance(0.5))
        assert len(drawn) - len(certain) < 16

    def test_dated_items_of_other_lists_are_not_kept(self):
        stored = decode(encode(provenance=MADE, owner="u", entries=[Entry("a", 1, "r")], until={"a": 5.0, "b": 6.0}))

        assert stored.until == {"a": 5.0}


class TestOrder:
    def test_comparing_the_prefix_compares_build_then_version(self):
        pairs = [(build, version) for build in (1, 2, 255, 256, 70_000) for version in (1, 2, 300)]
        prefixes = [
            encode(provenance=Provenance(build, version, "model", "x"), owner="", entries=[])[ORDER]
            for build, version in pairs
        ]

        assert prefixes == sorted(prefixes)


class TestCorruption:
    @given(st.binary(max_size=200))
    def test_foreign_bytes_are_refused_not_misread(self, raw):
        with pytest.raises(Corrupt):
            decode(raw)

    def test_a_truncated_list_is_refused(self):
        raw = encode(provenance=MADE, owner="u", entries=[Entry("a", 1.0, "r")])

        with pytest.raises(Corrupt):
            decode(raw[: random.Random(1).randrange(5, 40)])
