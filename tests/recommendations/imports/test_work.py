"""A worker's part in an import: turns, takeovers, cancelling, and where each import ends."""

import gzip
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.files.storage import default_storage

from accounts import scope
from core import clock
from recommendations.imports import chunks, leases, lifecycle, lines, uploads, work
from recommendations.imports.leases import LeaseLost
from recommendations.imports.lifecycle import ImportEnded, TooManyImports, Wanted
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.rows import Line
from recommendations.models import Interaction, Item
from tests.recommendations.precompute.queue import sent

EVENTS = "user_id,item_id,type,occurred_at\n" + "".join(f"u{n % 7},i{n},view,{964982703 + n}\n" for n in range(100))
COUNTS = ("created", "updated", "unchanged", "duplicate", "rejected")


@pytest.fixture
def acme(cast):
    return cast.acme.tenant.pk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 30)


def start(tenant_id, text, kind="events", form="csv", **wanted):
    raw = BytesIO(text if isinstance(text, bytes) else text.encode())
    upload = uploads.spool(tenant_id=tenant_id, read=raw.read, form=Import.Format(form), max_bytes=10**8)
    return lifecycle.accept(
        tenant_id=tenant_id, wanted=Wanted(Import.Kind(kind), **wanted), upload=upload, now=clock.now()
    )


def run(job):
    work.run_import(tenant_id=job.tenant_id, import_id=job.pk, clock=clock.now)
    return reread(job)


def reread(job):
    with scope.tenant(job.tenant_id):
        return Import.objects.get(pk=job.pk)


def change(job, **changed):
    with scope.tenant(job.tenant_id):
        Import.objects.filter(pk=job.pk).update(**changed)


def counts(job):
    return {name: getattr(job, name) for name in COUNTS if getattr(job, name)}


class TestRun:
    @pytest.mark.parametrize("packed", [False, True])
    def test_takes_the_whole_file_in_and_lets_it_go(self, acme, packed, django_capture_on_commit_callbacks):
        text = EVENTS.encode()
        with django_capture_on_commit_callbacks(execute=True):
            job = start(acme, gzip.compress(text) if packed else text)
            file = job.file
            run(job)
        job = reread(job)

        assert (job.status, job.error, counts(job), job.line) == ("done", "", {"created": 100}, 101)
        assert job.read_bytes == job.size_bytes
        assert job.lease_token is None
        assert job.file == ""
        assert not default_storage.exists(file)

    def test_a_second_import_of_the_file_changes_nothing(self, acme):
        run(start(acme, EVENTS))

        assert counts(run(start(acme, EVENTS))) == {"duplicate": 100}

    def test_rows_that_are_long_make_short_chunks(self, acme, monkeypatch):
        monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
        taken, original = [], chunks.take

        def counted(job, chunk, **options):
            taken.append(len(chunk.lines))
            original(job, chunk, **options)

        monkeypatch.setattr(work, "take", counted)
        rows = "".join(f"i{number},{'x' * 300}\n" for number in range(10))

        assert counts(run(start(acme, "item_id,title\n" + rows, "items"))) == {"created": 10}
        assert taken == [4, 4, 2]

    def test_takes_turns_with_others(self, acme, monkeypatch):
        monkeypatch.setattr(work, "TURN_SECONDS", -1.0)
        job = start(acme, EVENTS)
        seen = []
        while reread(job).status != "done":
            job = run(job)
            seen.append((job.created, job.lease_token))

        assert seen == [(30, None), (60, None), (90, None), (100, None), (100, None)]
        assert job.attempts == 0

    def test_what_a_dead_worker_left_is_finished_by_another(self, acme, monkeypatch):
        """Killed after the second chunk: its lease runs out, and the next one goes on behind that chunk."""
        job = start(acme, EVENTS)
        taken: list[int] = []
        original = chunks.take

        def dies(*args, **options):
            if len(taken) == 2:
                raise KeyboardInterrupt
            taken.append(1)
            original(*args, **options)

        monkeypatch.setattr(work, "take", dies)
        with pytest.raises(KeyboardInterrupt):
            run(job)
        monkeypatch.setattr(work, "take", original)
        assert reread(job).created == 60

        job = run(job)

        assert (job.status, counts(job)) == ("done", {"created": 100})
        with scope.tenant(acme):
            assert Interaction.objects.count() == 100

    def test_resumes_after_records_of_several_lines(self, acme, monkeypatch):
        monkeypatch.setattr(work, "TURN_SECONDS", -1.0)
        rows = "".join(f'i{number},"one\ntwo ""{number}""\n"\n' for number in range(100))
        job = start(acme, "item_id,description\n" + rows, "items")
        while job.status in Import.OPEN:
            job = run(job)

        assert counts(job) == {"created": 100}
        with scope.tenant(acme):
            assert Item.objects.get(item_id="i77").description == 'one\ntwo "77"\n'

    def test_resumes_ndjson(self, acme, monkeypatch):
        monkeypatch.setattr(work, "TURN_SECONDS", -1.0)
        job = start(acme, "".join(f'{{"item_id": "i{number}"}}\n\n' for number in range(70)), "items", "ndjson")
        while job.status in Import.OPEN:
            job = run(job)

        assert counts(job) == {"created": 70}

    def test_nobody_else_does_it_meanwhile(self, acme):
        job = start(acme, EVENTS)
        assert leases.claim(tenant_id=acme, import_id=job.pk)

        assert run(job).created == 0

    def test_who_was_taken_for_dead_changes_nothing(self, acme):
        job = start(acme, EVENTS)
        late = leases.claim(tenant_id=acme, import_id=job.pk)
        change(job, lease_until=clock.now() - timedelta(hours=1))
        assert leases.claim(tenant_id=acme, import_id=job.pk)
        (line,) = [Line(2, {"user_id": "u", "item_id": "i", "type": "view"})]

        with pytest.raises(LeaseLost):
            chunks.take(job, chunks.Chunk([line], 2, 9), now=clock.now(), lease=late)
        with scope.tenant(acme):
            assert not Interaction.objects.exists()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("user_id,colour\nu,red\n", "colour"),
            (gzip.compress(b""), "empty"),
            (",".join(f"c{number}" for number in range(5000)) + "\n", "5,000 columns"),
            (gzip.compress(EVENTS.encode())[:-20], "breaks off"),
            (b"\xff\xfe\x00", "utf-16-le"),
        ],
        ids=["unknown column", "empty", "too many columns", "cut short", "no text"],
    )
    def test_a_file_that_cannot_be_read_fails_with_the_reason(self, acme, text, said):
        job = start(acme, text)

        job = run(job)

        assert job.status == "failed"
        assert said in job.error
        assert len(job.error) < 500

    def test_a_gzip_bomb_is_refused(self, acme, settings):
        settings.IMPORT_MAX_UNPACKED_BYTES = 1000
        job = run(start(acme, gzip.compress(b"user_id,item_id,type\n" + b"u,i,view\n" * 10**6)))

        assert job.status == "failed"
        assert "unpacks to more than 1,000 bytes" in job.error

    def test_overlong_lines_and_records_are_told_one_by_one(self, acme, monkeypatch):
        record = '"\n",' * 300
        monkeypatch.setattr(lines, "MAX_LINE", 1000)
        job = run(start(acme, f"item_id,title\na,{'x' * 1000}\n{record}\n", "items"))

        assert job.status == "done"
        with scope.tenant(acme):
            said = list(ImportRowError.objects.order_by("line").values_list("line", "code")[:2])
        assert said == [(2, "line_too_long"), (3, "line_too_long")]

    def test_a_lost_file_fails_the_import(self, acme):
        job = start(acme, EVENTS)
        default_storage.delete(job.file)

        assert run(job).error == "The file is no longer in the storage."


class TestCancel:
    def test_stops_a_waiting_one_and_lets_the_file_go(self, acme, django_capture_on_commit_callbacks):
        job = start(acme, EVENTS)
        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.cancel(tenant_id=acme, import_id=job.pk, now=clock.now())

        assert run(job).status == "cancelled"
        assert not default_storage.exists(job.file)

    def test_stops_a_running_one_before_its_next_chunk(self, acme, monkeypatch):
        job, original = start(acme, EVENTS), chunks.take

        def cancelled(*args, **options):
            if reread(job).created:
                lifecycle.cancel(tenant_id=acme, import_id=job.pk, now=clock.now())
            original(*args, **options)

        monkeypatch.setattr(work, "take", cancelled)
        after = run(job)

        assert (after.status, after.created) == ("cancelled", 30)
        with scope.tenant(acme):
            assert Interaction.objects.count() == 30

    def test_is_refused_once_it_has_ended(self, acme):
        job = run(start(acme, EVENTS))

        with pytest.raises(ImportEnded, match="done"):
            lifecycle.cancel(tenant_id=acme, import_id=job.pk, now=clock.now())


class TestResume:
    def test_asks_again_for_what_a_dead_worker_left(self, acme, django_capture_on_commit_callbacks):
        job = start(acme, EVENTS)
        leases.claim(tenant_id=acme, import_id=job.pk)
        assert lifecycle.resume_imports(now=clock.now()) == 0
        change(job, lease_until=clock.now() - timedelta(hours=1))

        with django_capture_on_commit_callbacks(execute=True):
            assert lifecycle.resume_imports(now=clock.now()) == 1

        assert sent("imports.run") == [{"tenant_id": acme, "import_id": job.pk}]
        assert run(job).status == "done"

    def test_asks_again_for_what_nobody_began(self, acme):
        job = start(acme, EVENTS)

        assert lifecycle.resume_imports(now=clock.now()) == 0
        assert lifecycle.resume_imports(now=clock.now() + timedelta(seconds=30)) == 1
        assert reread(job).status == "waiting"

    def test_ends_what_never_gets_on(self, acme):
        job = start(acme, EVENTS)
        change(job, attempts=leases.MAX_ATTEMPTS, error="OperationalError: away")

        lifecycle.resume_imports(now=clock.now())

        job = reread(job)
        assert (job.status, "OperationalError: away" in job.error) == ("failed", True)

    def test_leaves_the_command_lines_alone(self, acme):
        with scope.tenant(acme):
            Import.objects.create(tenant_id=acme, kind="events", status="running")

        assert lifecycle.resume_imports(now=clock.now() + timedelta(days=1)) == 0


class TestAccept:
    def test_refuses_more_than_a_tenant_may_have_open(self, cast, acme, monkeypatch):
        monkeypatch.setattr(lifecycle, "MAX_OPEN", 2)
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
        monkeypatch.setattr(work, "TURN_SECONDS", -1.0)
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 2)
        job = start(acme, "item_id,title\na,Shirt\nb,Mug\nc,\na,\nb,Cup\na,\n", "items")
        for _ in range(6):
            job = run(job)

        assert job.status == "done"
        with scope.tenant(acme):
            assert set(Item.objects.values_list("item_id", "title")) == {("a", "Shirt"), ("b", "Cup"), ("c", "")}
