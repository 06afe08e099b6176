"""A process killed anywhere in a write: a retry ends with exactly one effect."""

import time

import pytest

from tests.core.idempotency.conftest import client, post
from tests.core.idempotency.killed import LEASE_SECONDS, kill_at

pytestmark = pytest.mark.urls("tests.core.idempotency.views")


def retry(path, key):
    """As a client does that lost the connection: again until it is served."""
    deadline = time.monotonic() + 50 * LEASE_SECONDS
    while (answer := post(client(), path, key=key)).status_code == 409:
        assert time.monotonic() < deadline
        time.sleep(LEASE_SECONDS / 10)
    return answer


@pytest.mark.drill
class TestKilledProcess:
    @pytest.mark.parametrize("stage", ["claimed", "effected", "answered", "committed"])
    def test_five_times_at_each_stage_one_effect_each(self, effects, stage):
        for number in range(5):
            before = effects()
            kill_at(stage, path="/effects", key=str(number))
            answer = retry("/effects", str(number))

            assert answer.status_code == 201
            assert ("Idempotent-Replayed" in answer) == (stage == "committed")
            assert effects() == before + 1

    def test_the_drill_finds_an_answer_stored_outside_the_effects_transaction(self, effects):
        kill_at("effected", path="/careless", key="k")
        retry("/careless", "k")

        assert effects() == 2
