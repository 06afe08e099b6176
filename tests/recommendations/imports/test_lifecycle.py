"""Imports that are accepted, refused, cancelled or taken over half-way."""

import pytest
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core import clock
from recommendations.imports import chunks, lifecycle, storage_quota, worker
from recommendations.imports.lifecycle import ImportEnded
from recommendations.imports.storage_quota import TooManyImports
from recommendations.models import Interaction, Item
from tests.recommendations.imports.started import EVENTS, reread, run, start

pytestmark = pytest.mark.usefixtures("small_chunks")


class TestCancel:
    def test_stops_a_waiting_one_and_lets_the_file_go(self, acme, django_capture_on_commit_callbacks):
        job = start(acme, EVENTS)
        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.cancel_import(tenant_id=acme, import_id=job.pk, now=clock.now())

        assert run(job).status == "cancelled"
        assert not default_storage.exists(job.file)

    def test_stops_a_running_one_before_its_next_chunk(self, acme, monkeypatch):
        job, original = start(acme, EVENTS), chunks.store_chunk

        def cancelled(*args, **options):
            if reread(job).created:
                lifecycle.cancel_import(tenant_id=acme, import_id=job.pk, now=clock.now())
            original(*args, **options)

        monkeypatch.setattr(worker, "store_chunk", cancelled)
        after = run(job)

        assert (after.status, after.created) == ("cancelled", 30)
        with scope.tenant(acme):
            assert Interaction.objects.count() == 30

    def test_is_refused_once_it_has_ended(self, acme):
        job = run(start(acme, EVENTS))

        with pytest.raises(ImportEnded, match="done"):
            lifecycle.cancel_import(tenant_id=acme, import_id=job.pk, now=clock.now())


class TestAccept:
    def test_refuses_more_than_a_tenant_may_have_open(self, cast, acme, monkeypatch):
        monkeypatch.setattr(storage_quota, "MAX_OPEN", 2)
        first = start(acme, EVENTS)
        start(acme, EVENTS)

        with pytest.raises(TooManyImports):
            start(acme, EVENTS)
        assert start(cast.globex.tenant.pk, EVENTS)
        run(first)
        assert start(acme, EVENTS)


class TestRowsWithOneId:
    def test_a_resumed_import_knows_which_ids_came_before(self, acme, monkeypatch):
        """Each turn is one chunk of two rows, and begins with an empty memory."""
        monkeypatch.setattr(worker, "TURN_SECONDS", -1.0)
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 2)
        job = start(acme, "item_id,title\na,Shirt\nb,Mug\nc,\na,\nb,Cup\na,\n", "items")
        for _ in range(6):
            job = run(job)

        assert job.status == "done"
        with scope.tenant(acme):
            assert set(Item.objects.values_list("item_id", "title")) == {("a", "Shirt"), ("b", "Cup"), ("c", "")}
