"""Lines of a text, one by one and in blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.imports.formats import lines as physical
from recommendations.imports.formats.read_options import UnreadableFile


@pytest.fixture(autouse=True, scope="module")
def short_lines():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(physical, "MAX_LINE", 8)
        yield


def in_full(blocks):
    return list(physical.lines(blocks))


@given(st.lists(st.binary(max_size=12).map(lambda block: bytes(b"ab\r\n"[each % 4] for each in block))), st.data())
def test_are_the_same_in_whichever_way_they_are_taken(blocks, data):
    counted: list[int] = []
    taken: list[bytes | None] = []
    lines = physical.Lines([block for block in blocks if block], counted.append)
    while True:
        if data.draw(st.booleans()) and (block := lines.block()):
            if data.draw(st.booleans()):
                lines.put_back(block)
            else:
                taken += in_full([block])
            continue
        line = next(lines, b"")
        if line == b"":
            break
        taken.append(line)

    assert taken == in_full([block for block in blocks if block])
    assert sum(counted) == len(taken) or any(b"\r" in block for block in blocks)


def test_a_block_with_a_line_too_many_is_given_up_to_it():
    most, count = 3, 0

    def counted(more):
        nonlocal count
        count += more
        if count > most:
            raise UnreadableFile("too many")

    lines = physical.Lines([b"a\nb\n", b"c\nd\n"], counted)
    assert lines.block() == b"a\nb\n"
    assert lines.block() == b""
    assert next(lines) == b"c\n"
    with pytest.raises(UnreadableFile):
        next(lines)
