"""A worker's part in an import: turns, takeovers, cancelling, and the outcome of each import."""

import gzip
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core import clock
from core.leases import Lease, LeaseLost
from recommendations.imports import chunks, summary, worker
from recommendations.imports.claims import claim_import
from recommendations.imports.formats import lines
from recommendations.imports.formats.rows import Line
from recommendations.imports.models import Import, ImportRowError
from recommendations.models import Interaction, Item
from tests.recommendations.imports.started import EVENTS, change, counts, reread, run, start
from tests.recommendations.pipeline.queue import sent

pytestmark = pytest.mark.usefixtures("small_chunks")


class TestRun:
    @pytest.mark.parametrize("packed", [False, True])
    def test_takes_the_whole_file_in_and_lets_it_go(self, acme, packed, django_capture_on_commit_callbacks):
        text = EVENTS.encode()
        with django_capture_on_commit_callbacks(execute=True):
            job = start(acme, gzip.compress(text, mtime=0) if packed else text)
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
        taken, original = [], chunks.store_chunk

        def counted(job, chunk, **options):
            taken.append(len(chunk.lines))
            original(job, chunk, **options)

        monkeypatch.setattr(worker, "store_chunk", counted)
        rows = "".join(f"i{number},{'x' * 300}\n" for number in range(10))

        assert counts(run(start(acme, "item_id,title\n" + rows, "items"))) == {"created": 10}
        assert taken == [4, 4, 2]

    def test_takes_turns_with_others(self, acme, monkeypatch):
        monkeypatch.setattr(worker, "TURN_SECONDS", -1.0)
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
        original = chunks.store_chunk

        def dies(*args, **options):
            if len(taken) == 2:
                raise KeyboardInterrupt
            taken.append(1)
            original(*args, **options)

        monkeypatch.setattr(worker, "store_chunk", dies)
        with pytest.raises(KeyboardInterrupt):
            run(job)
        monkeypatch.setattr(worker, "store_chunk", original)
        assert reread(job).created == 60

        job = run(job)

        assert (job.status, counts(job)) == ("done", {"created": 100})
        with scope.tenant(acme):
            assert Interaction.objects.count() == 100

    def test_rows_without_a_time_share_one_moment_wherever_the_file_is_cut(self, acme, monkeypatch):
        """The import's own, so that the order of a file does not become the order of people's lives."""
        monkeypatch.setattr(worker, "TURN_SECONDS", -1.0)
        job = start(acme, "user_id,item_id,type\n" + "".join(f"u{n % 7},i{n},view\n" for n in range(100)))
        while reread(job).status != "done":
            run(job)

        job = reread(job)
        with scope.tenant(acme):
            moments = set(Interaction.objects.values_list("occurred_at", "received_at"))
        assert moments == {(job.created_at, job.created_at)}
        assert job.summary["untimed"] == 100
        assert "no event has a time: they all get the time of the import" in " ".join(
            summary.summary_lines(job.summary)
        )

    def test_says_how_many_rows_have_no_time(self, acme):
        job = run(start(acme, "user_id,item_id,type,occurred_at\nu,a,view,\nu,b,view,964982703\n"))

        assert job.summary["untimed"] == 1
        assert any(line.startswith("1 of 2 events have no time") for line in summary.summary_lines(job.summary))
        with scope.tenant(acme):
            timed = Interaction.objects.get(item__item_id="b")
            assert timed.received_at > job.created_at

    def test_resumes_after_records_of_several_lines(self, acme, monkeypatch):
        monkeypatch.setattr(worker, "TURN_SECONDS", -1.0)
        rows = "".join(f'i{number},"one\ntwo ""{number}""\n"\n' for number in range(100))
        job = start(acme, "item_id,description\n" + rows, "items")
        while job.status in Import.OPEN:
            job = run(job)

        assert counts(job) == {"created": 100}
        with scope.tenant(acme):
            assert Item.objects.get(item_id="i77").description == 'one\ntwo "77"\n'

    def test_resumes_ndjson(self, acme, monkeypatch):
        monkeypatch.setattr(worker, "TURN_SECONDS", -1.0)
        job = start(acme, "".join(f'{{"item_id": "i{number}"}}\n\n' for number in range(70)), "items", "ndjson")
        while job.status in Import.OPEN:
            job = run(job)

        assert counts(job) == {"created": 70}

    def test_nobody_else_does_it_meanwhile(self, acme):
        job = start(acme, EVENTS)
        assert claim_import(tenant_id=acme, import_id=job.pk)

        assert run(job).created == 0

    def test_who_was_taken_for_dead_changes_nothing(self, acme):
        job = start(acme, EVENTS)
        late = claim_import(tenant_id=acme, import_id=job.pk)
        change(job, lease_until=clock.now() - timedelta(hours=1))
        assert claim_import(tenant_id=acme, import_id=job.pk)
        (line,) = [Line(2, {"user_id": "u", "item_id": "i", "type": "view"})]

        with pytest.raises(LeaseLost):
            chunks.store_chunk(job, chunks.Chunk([line], 2, 9), now=clock.now(), lease=late)
        with scope.tenant(acme):
            assert not Interaction.objects.exists()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("user_id,colour\nu,red\n", "colour"),
            (gzip.compress(b"", mtime=0), "empty"),
            (",".join(f"c{number}" for number in range(5000)) + "\n", "5,000 columns"),
            (gzip.compress(EVENTS.encode(), mtime=0)[:-20], "truncated"),
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
        job = run(start(acme, gzip.compress(b"user_id,item_id,type\n" + b"u,i,view\n" * 10**6, mtime=0)))

        assert job.status == "failed"
        assert "decompresses to more than 1,000 bytes" in job.error

    def test_overlong_lines_and_records_are_told_one_by_one(self, acme, monkeypatch):
        record = '"\n",' * 300
        monkeypatch.setattr(lines, "MAX_LINE", 1000)
        job = run(start(acme, f"item_id,title\na,{'x' * 1000}\n{record}\nb,B\n", "items"))

        assert (job.status, job.created) == ("done", 1)
        with scope.tenant(acme):
            said = list(ImportRowError.objects.order_by("line").values_list("line", "code")[:2])
        assert said == [(2, "line_too_long"), (3, "line_too_long")]

    def test_a_lost_file_fails_the_import(self, acme):
        job = start(acme, EVENTS)
        default_storage.delete(job.file)

        assert run(job).error == "The file is no longer in the storage."


class TestKeptNothing:
    def test_is_a_failure_that_says_why(self, acme):
        job = run(start(acme, "item_id\n" + "x" * 200 + "\n" + "y" * 200 + "\n", "items"))

        assert job.status == "failed"
        assert job.error.startswith(
            "No row was stored: all 2 rows were rejected. Most frequent error: item_id: An id has at most"
        )

    def test_is_none_where_nothing_was_refused(self, acme):
        assert run(start(acme, "item_id\n", "items")).status == "done"

    def test_does_not_ask_for_a_build(self, acme, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            run(start(acme, "user_id,item_id,type\nu,i,\n"))

        assert sent("build.plan_first") == []


class TestLongWork:
    def test_without_rows_is_noted_so_that_the_lease_holds(self, acme, monkeypatch):
        kept, original = [], Lease.keep

        def counted(lease, **changed):
            kept.append(changed.get("line"))
            original(lease, **changed)

        monkeypatch.setattr(Lease, "keep", counted)
        job = run(start(acme, "item_id\na\n" + "\n" * 35_000 + "b\n", "items"))

        assert (job.status, job.created) == ("done", 2)
        assert [line for line in kept if line] == [10_002, 20_002, 30_002, 35_003]
