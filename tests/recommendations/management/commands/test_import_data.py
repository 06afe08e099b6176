"""`manage.py import_data` on the bundled data and on bad files."""

import signal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.tenancy import scope
from core import redis
from recommendations.catalog.models import EndUser, Item
from recommendations.imports import chunks
from recommendations.imports.models import Import
from recommendations.interactions import task_names, training_window
from recommendations.interactions.models import Interaction
from recommendations.management.commands import import_data
from workers.queues import QUICK

DATA = Path("tests/data/movielens")
SAMPLES = Path("docs/samples")


@pytest.fixture
def run(cast, django_capture_on_commit_callbacks):
    def _run(**options):
        out, err = StringIO(), StringIO()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("import_data", tenant="acme", stdout=out, stderr=err, **options)
        return out.getvalue(), err.getvalue()

    return _run


class TestImportData:
    @pytest.mark.slow  # a hundred thousand rows, twice
    def test_takes_the_demo_data_in(self, cast, run):
        items = DATA / "items.csv.gz"

        first, progress = run(items=items, events=DATA / "events.csv.gz", no_build=True)
        second, _ = run(items=items, no_build=True)

        assert "9,742 created" in first
        assert "100,836 created" in first
        assert "9,742 unchanged" in second
        assert "events: 100%" in progress
        assert redis.client().llen(QUICK) == 0
        with scope.tenant(cast.acme.tenant.pk):
            assert (Item.objects.count(), EndUser.objects.count(), Interaction.objects.count()) == (9742, 610, 100_836)
            assert not Item.objects.filter(title="").exists()
            last = Interaction.objects.select_related("end_user", "item").latest("id")
        assert (last.end_user.user_id, last.item.item_id, last.value) == ("610", "170875", 3.0)
        window = training_window.read_window(tenant_id=cast.acme.tenant.pk).interactions()
        assert (window.row_count, window.user_count, window.item_count) == (100_836, 610, 9724)

    def test_reports_rejected_rows_and_asks_for_the_first_build(self, run, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item_id,title\na,A\nb\x7fc,B\n")

        report, _ = run(items=path)

        assert "1 created, 1 rejected" in report
        assert "line 3  item_id  bad_character: Character 2 of the id is U+007F" in report
        queued = redis.client().lrange(QUICK, 0, -1)
        assert len(queued) == 1
        assert task_names.PLAN_FIRST.encode() in queued[0]

    def test_fails_only_when_a_file_cannot_be_read(self, run, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            run(items=tmp_path / "none.csv")

    @pytest.mark.parametrize(("given", "held"), [("items", "events"), ("events", "items"), ("users", "items")])
    def test_recognises_a_file_of_another_kind(self, run, given, held):
        with pytest.raises(CommandError, match=f"looks like a file of {held}, not of {given}"):
            run(**{given: SAMPLES / f"{held}.csv"})

    def test_that_cannot_be_read_makes_no_job(self, cast, run, tmp_path):
        (tmp_path / "a.csv").write_bytes(b"PK\x03\x04")
        for path in (tmp_path / "none.csv", tmp_path, tmp_path / "a.csv"):
            with pytest.raises(CommandError):
                run(items=path)

        with scope.tenant(cast.acme.tenant.pk):
            assert not Import.objects.exists()

    def test_of_nothing_but_refused_rows_fails_and_asks_for_no_build(self, cast, run, tmp_path):
        path = tmp_path / "a\udcff\n.csv"
        path.write_text("item_id\n" + ("x" * 200 + "\n") * 30)

        with pytest.raises(CommandError, match="No row was stored: all 30 rows"):
            run(items=path)

        assert redis.client().llen(QUICK) == 0
        with scope.tenant(cast.acme.tenant.pk):
            job = Import.objects.get()
        assert (job.status, job.filename) == ("failed", "a\\udcff\\x0a.csv")

    def test_reports_a_fault_of_many_rows_once(self, run, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item_id\na\n" + ("x" * 200 + "\n") * 30)

        report, _ = run(items=path, no_build=True)

        assert "30 rows, lines 3, 4, 5, 6, 7, ...  item_id  too_long" in report
        assert report.count("too_long") == 1

    def test_reports_different_faults_with_one_code_apart(self, run, tmp_path):
        path = tmp_path / "events.csv"
        times = ("45352.35", "20260301", "2026-03-01T00:00:00Z", "45353", "1772353800000")
        path.write_text("user_id,item_id,type,occurred_at\n" + "".join(f"u,i,view,{time}\n" for time in times))

        report, _ = run(events=path, no_build=True)

        assert "\n4 rows of events.csv were rejected:\n" in report
        assert "  2 rows, lines 2, 5  occurred_at  implausible_time: for example: 45352.35 is not" in report
        assert "  line 3  occurred_at  implausible_time: 20260301 is not" in report
        assert "  line 6  occurred_at  in_future: This looks like milliseconds" in report

    def test_reports_a_single_row_in_the_singular(self, run, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item_id\na\n" + "x" * 200 + "\n")

        report, _ = run(items=path, no_build=True)

        assert "\n1 row of items.csv was rejected:\n  line 3  item_id  too_long: An id" in report

        path.write_text("item_id\n" + "x" * 200 + "\n")
        with pytest.raises(CommandError, match=r"No row was stored: the only row was rejected\."):
            run(items=path, no_build=True)

    def test_fails_beyond_the_share_that_may_be_refused(self, run, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item_id\na\nb\nc\n" + "x" * 200 + "\n")

        run(items=path, no_build=True, max_rejected=0.25)
        with pytest.raises(CommandError, match="1 of 4 rows were rejected"):
            run(items=path, no_build=True, max_rejected=0.2)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_that_is_told_to_stop_ends_its_import_first(self, cast, run, tmp_path, monkeypatch, number):
        path = tmp_path / "items.csv"
        path.write_text("item_id\n" + "".join(f"i{n}\n" for n in range(90)))
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 30)
        monkeypatch.setattr(import_data.Bar, "__call__", lambda *_: signal.raise_signal(number))
        # Where the tests run in the background, SIGINT is ignored.
        former = signal.signal(signal.SIGINT, signal.default_int_handler)

        try:
            with pytest.raises((CommandError, SystemExit)):
                run(items=path, no_build=True)
        finally:
            signal.signal(signal.SIGINT, former)

        with scope.tenant(cast.acme.tenant.pk):
            job = Import.objects.get()
            assert Item.objects.count() == 30
        assert (job.status, job.error[:11]) == ("failed", "Stopped by ")

    def test_says_what_is_missing(self, cast):
        with pytest.raises(CommandError, match="at least one file"):
            call_command("import_data", tenant="acme")
        with pytest.raises(CommandError, match=r"no active tenant 'nobody'. There is: acme, globex\."):
            call_command("import_data", tenant="nobody", items=Path("x.csv"))

    def test_maps_columns_and_tells_what_the_file_held(self, cast, run, tmp_path):
        path = tmp_path / "orders.csv"
        path.write_text("sku;who;date\na;u;2026-03-01 08:30:00\nb;u;2026-03-02 08:30:00\n")

        report, _ = run(
            events=path,
            map=["sku=item_id", "who=user_id", "date=occurred_at"],
            default=["type=gift_wrapped"],
            timezone="Europe/Berlin",
            dry_run=True,
        )

        assert "2 created" in report
        assert "dry run: nothing is stored" in report
        assert "events from 2026-03-01T07:30:00Z to 2026-03-02T07:30:00Z: gift_wrapped (2)" in report
        assert "types without a weight, which count like a view: gift_wrapped (2)" in report
        with scope.tenant(cast.acme.tenant.pk):
            assert not Interaction.objects.exists()

    def test_refuses_a_bad_mapping_before_anything_is_read(self, cast, tmp_path):
        path = tmp_path / "none.csv"
        for options, said in (
            ({"map": ["id=itemid"]}, "--map: 'itemid' is not a field of items"),
            ({"timezone": "Mars"}, "--timezone: Unknown time zone"),
            ({"preset": "ga4"}, "--preset: 'ga4' reads events"),
            ({"delimiter": '"'}, "--delimiter: "),
            ({"map": ["a=title"], "users": path}, "one at a time"),
        ):
            with pytest.raises(CommandError, match=said):
                call_command("import_data", tenant="acme", items=path, **options)
