"""Ids that say from where a page came."""

import pytest

from recommendations.attribution import recommendation_ids


@pytest.mark.parametrize("source", ["ai", "model", "popular", "static"])
@pytest.mark.parametrize("arm", ["", "control", "v12", "a" * 16])
def test_say_source_placement_and_arm(source, arm):
    made = recommendation_ids.make("this page", source=source, placement="p" * 63, arm=arm)

    origin = recommendation_ids.read(made)
    assert len(made) <= 64
    assert origin is not None
    assert (origin.source, origin.arm) == (source, arm)
    assert recommendation_ids.label_of(origin.placement_code, ["home", "p" * 63]) == "p" * 63
    assert recommendation_ids.label_of(origin.placement_code, ["home"]) is None


def test_differ_by_page():
    pages = [recommendation_ids.make(page, source="ai", placement="home", arm="") for page in ("one", "two")]

    assert pages[0] != pages[1]


@pytest.mark.parametrize("text", ["", "r0f3a8c1d2b4e5f60718293a4b5c6d7e8", "r" + "0" * 24 + ".x00000000.", "my-id"])
def test_refuse_other_texts(text):
    assert recommendation_ids.read(text) is None
