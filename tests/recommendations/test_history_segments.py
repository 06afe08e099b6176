"""Cold, sparse, regular and heavy mean one thing, whoever says it."""

import numpy as np
import pytest

from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.uplift.gate import UpliftGate
from recommendations.algorithms.metrics.user_segments import summarise_by_segment
from recommendations.history_segments import SEGMENTS, segment_of


@pytest.mark.parametrize("known", [0, 1, 4, 5, 9, 10, 19, 20, 99, 100, 5000])
def test_evaluation_and_the_gate_agree(known):
    (reported,) = summarise_by_segment([known], {"ndcg@10": np.ones(1)})

    gates = {name: UpliftGate(policy=UpliftPolicy(open_segments=frozenset({name}))) for name in SEGMENTS}
    assert [name for name, gate in gates.items() if gate.is_open_for(known)] == [reported]
    assert segment_of(known) == reported
