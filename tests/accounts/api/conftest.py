"""A holder of a key, and a store of proofs that has remembered for an hour."""

import pytest

from accounts.tokens import dpop
from tests.accounts.proofs import Holder, age_store


@pytest.fixture
def holder():
    return Holder()


@pytest.fixture
def aged_store(cast):
    """The store has remembered for an hour."""
    for member in (cast.acme, cast.globex):
        dpop.prime(member.tenant.pk)
        age_store(member.tenant.pk)
