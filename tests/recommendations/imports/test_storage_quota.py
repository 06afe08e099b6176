"""Files of imports take bounded room in the storage, and belong to the service alone."""

import stat
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from recommendations.imports import storage_quota
from tests.recommendations.imports.started import EVENTS, run, start

pytestmark = pytest.mark.usefixtures("small_chunks")


class TestRoom:
    def test_is_bounded_for_each_tenant(self, cast, acme, settings):
        settings.IMPORT_STORAGE_MAX_BYTES = len(EVENTS) + 100
        first = start(acme, EVENTS)

        with pytest.raises(storage_quota.StorageQuotaExceeded, match="IMPORT_STORAGE_MAX_BYTES"):
            start(acme, EVENTS)
        assert start(cast.globex.tenant.pk, EVENTS)
        run(first)

    def test_counts_what_is_on_its_way(self, acme, settings):
        settings.IMPORT_STORAGE_MAX_BYTES = 1000
        with storage_quota.reserve(tenant_id=acme, size=600) as most:
            assert most == 1000
            with pytest.raises(storage_quota.StorageQuotaExceeded), storage_quota.reserve(tenant_id=acme, size=600):
                pass
            with storage_quota.reserve(tenant_id=acme, size=None) as left:
                assert left == 400
        with storage_quota.reserve(tenant_id=acme, size=600):
            pass

    def test_files_are_for_the_service_alone(self, acme):
        path = Path(default_storage.path(start(acme, EVENTS).file))

        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
