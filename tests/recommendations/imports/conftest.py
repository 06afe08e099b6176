"""A tenant that imports, and chunks of a few rows."""

import pytest

from recommendations.imports import chunks


@pytest.fixture
def acme(cast):
    return cast.acme.tenant.pk


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 30)
