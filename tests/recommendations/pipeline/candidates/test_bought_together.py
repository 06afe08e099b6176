"""Bought-together lists: the process that trained need not read the window again."""

from recommendations.pipeline.candidates import bought_together
from tests.recommendations.pipeline.generated import build_now


def test_what_a_training_prepares_is_what_another_process_reads(acme, monkeypatch):
    build = build_now(acme, until="scoring")
    with monkeypatch.context() as without:
        without.setattr(bought_together, "read_window", lambda **_: 1 / 0)
        prepared = bought_together._co_purchases(build)

    bought_together._cached.clear()
    read = bought_together._co_purchases(build)

    assert prepared.matrix.nnz > 0
    assert (prepared.matrix != read.matrix).nnz == 0
    assert prepared.item_ids == read.item_ids
