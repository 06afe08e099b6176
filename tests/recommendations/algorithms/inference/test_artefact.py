import io
import json

import numpy as np
import pytest

from recommendations.algorithms.inference.artefact import Artefact, UnreadableArtefact
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows


@pytest.fixture(scope="module")
def saved():
    artefact = train(interactions(random_rows()), TrainingOptions(threads=1))
    file = io.BytesIO()
    artefact.save(file)
    return artefact, file.getvalue()


def rewritten(saved, **changes):
    """The saved bytes with another header."""
    with np.load(io.BytesIO(saved)) as arrays:
        parts = dict(arrays)
    header = json.loads(parts["header"].tobytes()) | changes
    parts["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, **parts)
    return file.getvalue()


class TestLoad:
    def test_gives_back_everything(self, saved):
        artefact, content = saved

        loaded = Artefact.load(io.BytesIO(content))

        assert loaded.item_ids == artefact.item_ids
        assert loaded.scorers == artefact.scorers
        assert loaded.chosen == artefact.chosen
        assert np.array_equal(loaded.weights, artefact.weights)
        assert loaded.fitted.keys() == artefact.fitted.keys()

    def test_refuses_another_format_version(self, saved):
        with pytest.raises(UnreadableArtefact, match="format 99"):
            Artefact.load(io.BytesIO(rewritten(saved[1], format_version=99)))

    def test_refuses_a_header_without_what_is_needed(self, saved):
        with pytest.raises(UnreadableArtefact, match="train again"):
            Artefact.load(io.BytesIO(rewritten(saved[1], vectors=["missing"])))

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04N."])
    def test_refuses_other_bytes(self, content):
        with pytest.raises(UnreadableArtefact):
            Artefact.load(io.BytesIO(content))

    def test_refuses_a_file_cut_short(self, saved):
        with pytest.raises(UnreadableArtefact):
            Artefact.load(io.BytesIO(saved[1][: len(saved[1]) // 2]))
