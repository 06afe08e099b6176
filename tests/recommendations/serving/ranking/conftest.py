"""A tenant whose artefact serves."""

import pytest

from tests.recommendations.serving.ranking.stage import set_up


@pytest.fixture
def acme(cast, settings):
    settings.RANK_SECONDS = 5.0  # a busy machine takes its time; tests of the limit set their own
    set_up(cast.acme.tenant)
    return cast.acme
