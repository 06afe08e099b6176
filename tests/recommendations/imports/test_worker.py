"""A worker's part in an import: turns, takeovers, cancelling, and where each import ends."""

import gzip
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import DataError

from accounts.tenancy import scope
from core import clock
from core.leases import MAX_ATTEMPTS, Lease, LeaseLost
from recommendations.catalog import validators
from recommendations.imports import chunks, lifecycle, storage_quota, summary, worker
from recommendations.imports.claims import claim_import
from recommendations.imports.formats import lines
from recommendations.imports.formats.rows import Line
from recommendations.imports.models import Import, ImportRowError
from recommendations.models import Interaction, Item
from tests.recommendations.imports.started import change, counts, reread, run, start
from tests.recommendations.pipeline.queue import sent

EVENTS = "user_id,item_id,type,occurred_at\n" + "".join(f"u{n % 7},i{n},view,{964982703 + n}\n" for n in range(100))


@pytest.fixture
def acme(cast):
    return cast.acme.tenant.pk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 30)


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


class TestPoison:
    """Rows whose refusal or content cannot be stored as they are cost themselves, and nothing else."""

    @pytest.mark.parametrize(
        "poison",
        [
            r'{"item_id": "b", "a\u0000b": 1}',
            r'{"item_id": "b", "\ud800": 1}',
            r'{"item_id": "b", "attributes": {"a\u0000": 1}}',
            '{"item_id": "b", "' + "k" * 5000 + r'\u0000": 1}',
        ],
        ids=["unknown name", "half a pair", "attribute", "long name"],
    )
    def test_of_ndjson_costs_its_row(self, acme, poison):
        rows = [f'{{"item_id": "i{number}"}}' for number in range(40)]
        job = run(start(acme, "\n".join([*rows[:20], poison, *rows[20:]]), "items", "ndjson"))

        assert (job.status, job.created, job.rejected) == ("done", 40, 1)
        with scope.tenant(acme):
            assert "\x00" not in ImportRowError.objects.get().field

    @pytest.mark.parametrize("text", ["item_id,t\0itle\nx,y\n", "\0", "item_id,\ud800\n"])
    def test_of_a_header_fails_the_import_at_once(self, acme, text):
        job = run(start(acme, text.encode("utf-8", "surrogatepass"), "items"))

        assert (job.status, job.attempts, job.lease_token) == ("failed", 0, None)

    def test_that_only_the_database_finds_is_isolated(self, acme, monkeypatch):
        """A reader that lets U+0000 through: of 30 rows two cannot be stored."""
        monkeypatch.setattr(validators, "_check_storable", lambda value, pointer: None)
        rows = [f'{{"item_id": "i{number}", "title": "t"}}' for number in range(28)]
        poison = [r'{"item_id": "p1", "title": "\u0000"}', r'{"item_id": "p2", "title": "\u0000"}']
        job = run(start(acme, "\n".join([*rows[:9], poison[0], *rows[9:], poison[1]]), "items", "ndjson"))

        assert (job.status, job.created, job.rejected) == ("done", 28, 2)
        with scope.tenant(acme):
            assert list(ImportRowError.objects.values_list("line", "code")) == [
                (10, "not_storable"),
                (30, "not_storable"),
            ]

    def test_everywhere_ends_the_import_as_the_files_fault(self, acme, monkeypatch):
        monkeypatch.setattr(validators, "_check_storable", lambda value, pointer: None)
        monkeypatch.setattr(chunks, "MAX_FAULTS", 5)
        rows = "\n".join(f'{{"item_id": "i{n}", "title": "\\u0000"}}' for n in range(20))
        job = run(start(acme, rows, "items", "ndjson"))

        assert job.status == "failed"
        assert "cannot be stored" in job.error

    def test_in_the_end_itself_gives_the_lease_back(self, acme, monkeypatch):
        job = start(acme, "item_id,colour\na,red\n", "items")

        def breaks(**_):
            raise DataError("of any kind \0")

        with monkeypatch.context() as patched:
            patched.setattr(lifecycle, "end_import", breaks)
            with pytest.raises(DataError):
                run(job)

        job = reread(job)
        assert (job.status, job.lease_token, "of any kind \\x00" in job.error) == ("running", None, True)
        assert run(job).status == "failed"


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


class TestResume:
    def test_asks_again_for_what_a_dead_worker_left(self, acme, django_capture_on_commit_callbacks):
        job = start(acme, EVENTS)
        claim_import(tenant_id=acme, import_id=job.pk)
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
        change(job, attempts=MAX_ATTEMPTS, error="OperationalError: away")

        lifecycle.resume_imports(now=clock.now())

        job = reread(job)
        assert (job.status, "OperationalError: away" in job.error) == ("failed", True)

    def test_ends_those_of_commands_that_are_gone(self, acme):
        now = clock.now()
        with scope.tenant(acme):
            alive, killed, old = (
                Import.objects.create(tenant_id=acme, kind="events", status="running", lease_until=until, created_at=at)
                for until, at in [
                    (now + timedelta(minutes=5), now),
                    (now - timedelta(minutes=5), now),
                    (None, now - timedelta(days=3)),
                ]
            )

        assert lifecycle.resume_imports(now=now) == 2
        assert [reread(job).status for job in (alive, killed, old)] == ["running", "failed", "failed"]
        assert "was killed" in reread(killed).error


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
