"""Users of imported events are marked for a rescore once per turn, whatever happens to the import."""

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.imports import chunks, lifecycle, worker
from recommendations.interactions import triggers
from recommendations.models import EndUser
from tests.recommendations.imports.started import EVENTS, change, reread, run, start

pytestmark = pytest.mark.usefixtures("small_chunks")


def marked(tenant_id):
    with scope.tenant(tenant_id):
        return set(EndUser.objects.filter(dirty_at__isnull=False).values_list("user_id", flat=True))


def dies_after(monkeypatch, count):
    stored: list[int] = []
    original = chunks.store_chunk

    def dies(*args, **options):
        if len(stored) == count:
            raise KeyboardInterrupt
        stored.append(1)
        original(*args, **options)

    monkeypatch.setattr(worker, "store_chunk", dies)
    return original


def test_once_for_all_chunks(acme, monkeypatch):
    began: list[int] = []
    original = triggers.mark_users_since

    def counted(**asked):
        began.append(asked["first_id"])
        return original(**asked)

    monkeypatch.setattr(triggers, "mark_users_since", counted)

    job = run(start(acme, EVENTS))

    assert (job.status, job.unmarked_from) == ("done", None)
    assert marked(acme) == {f"u{number}" for number in range(7)}
    assert len(began) == 1


def test_in_small_ranges_and_batches_everybody_is_marked(acme, monkeypatch):
    monkeypatch.setattr(triggers, "INTERACTIONS_PER_RANGE", 9)
    monkeypatch.setattr(triggers, "USERS_PER_MARK", 2)

    assert run(start(acme, EVENTS)).unmarked_from is None
    assert len(marked(acme)) == 7


def test_a_repeated_file_marks_nobody(acme):
    run(start(acme, EVENTS))
    with scope.tenant(acme):
        EndUser.objects.update(dirty_at=None)

    assert run(start(acme, EVENTS)).duplicate == 100
    assert marked(acme) == set()


def test_what_a_killed_worker_left_is_marked_by_the_next(acme, monkeypatch):
    job, original = start(acme, EVENTS), dies_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    assert reread(job).unmarked_from is not None
    assert marked(acme) == set()
    monkeypatch.setattr(worker, "store_chunk", original)

    assert run(job).unmarked_from is None
    assert len(marked(acme)) == 7


def test_what_a_cancelled_import_left_is_marked_by_the_sweep(acme, monkeypatch):
    job = start(acme, EVENTS)
    dies_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    lifecycle.cancel_import(tenant_id=acme, import_id=job.pk, now=clock.now())

    assert lifecycle.resume_imports(now=clock.now()) == 1
    assert reread(job).unmarked_from is None
    assert len(marked(acme)) == 7
    assert lifecycle.resume_imports(now=clock.now()) == 0


def test_an_open_import_is_left_to_its_worker(acme, monkeypatch):
    job = start(acme, EVENTS)
    dies_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    change(job, enqueued_at=clock.now())

    assert lifecycle.resume_imports(now=clock.now()) == 0
    assert marked(acme) == set()
