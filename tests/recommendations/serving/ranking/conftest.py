"""A tenant whose artefact serves."""

import pytest

from tests.recommendations.serving.ranking.stage import set_up


@pytest.fixture
def acme(cast):
    set_up(cast.acme.tenant)
    return cast.acme
