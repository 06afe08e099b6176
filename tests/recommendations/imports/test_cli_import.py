"""Import jobs: good rows kept, bad ones counted and told, a second run without effect."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accounts.tenancy import scope
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.catalog.models import EndUser, Item
from recommendations.imports import chunks
from recommendations.imports import cli_import as imports
from recommendations.imports.formats.files import UnreadableFile
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.models import Import, ImportRowError
from recommendations.interactions.models import Interaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = ("created", "updated", "unchanged", "duplicate", "rejected")


@pytest.fixture
def run(acme, tmp_path):
    def _run(kind, text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return _import(acme, kind, path)

    return _run


def _import(tenant_id, kind, path, progress=lambda done, total: None):
    return imports.run(
        tenant_id=tenant_id,
        wanted=ImportOptions(Import.Kind(kind)),
        path=Path(path),
        clock=lambda: NOW,
        progress=progress,
    )


def _counts(job):
    return {name: getattr(job, name) for name in COUNTS if getattr(job, name)}


def _errors(tenant_id, job):
    with scope.tenant(tenant_id):
        return list(ImportRowError.objects.filter(job=job).order_by("line", "id").values_list("line", "field", "code"))


class TestRun:
    def test_tells_of_an_order_number_that_stands_on_each_line_of_the_order(self, acme, run):
        lines = [f"order-7,42,{item},purchase,9.5,2026-02-01T08:00:00Z" for item in ("a", "b", "c")]
        text = "\n".join(["event_id,user_id,item_id,type,value,occurred_at", *lines])

        job, again = run("events", text), run("events", text)

        assert (_counts(job), _counts(again)) == ({"created": 1, "rejected": 2}, {"duplicate": 1, "rejected": 2})
        assert _errors(acme, job) == [(3, "event_id", "event_id_reused"), (4, "event_id", "event_id_reused")]

    def test_keeps_good_rows_and_tells_of_bad_ones(self, acme, run):
        job = run("items", "item_id,title,hidden\na,A,\nb\x7fc,B,\nd,D,maybe\ne,E,true\n,F,\n")

        assert _counts(job) == {"created": 2, "rejected": 3}
        assert _errors(acme, job) == [
            (3, "item_id", "bad_character"),
            (4, "hidden", "bad_cell"),
            (6, "item_id", "required"),
        ]
        assert (job.status, job.finished_at) == (Import.Status.DONE, NOW)
        with scope.tenant(acme):
            assert list(Item.objects.order_by("item_id").values_list("item_id", "hidden")) == [
                ("a", False),
                ("e", True),
            ]

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("items", 'item_id,categories,attributes\na,Drama|Comedy,"{""year"": 1.5}"\nb,,\n'),
            ("users", 'user_id,segments,locale,attributes\nu,x|y,de,"{""a"": [""b""]}"\nv,,,\n'),
            ("events", "user_id,item_id,type,value,occurred_at\nu,a,view,,964982703\nu,b,rating,4.5,964982703\n"),
        ],
    )
    def test_a_second_run_changes_nothing(self, run, kind, text):
        assert _counts(run(kind, text)) == {"created": 2}

        assert _counts(run(kind, text)) == {"duplicate" if kind == "events" else "unchanged": 2}

    def test_takes_ndjson_like_csv(self, run):
        run("events", "user_id,item_id,type,value,occurred_at\nu,a,rating,4.0,964982703\n")
        rows = '{"user_id": "u", "item_id": "a", "type": "rating", "value": 4, "occurred_at": 964982703}\n'

        assert _counts(run("events", rows, "file.ndjson")) == {"duplicate": 1}

    @pytest.mark.slow
    def test_numbers_events_in_the_order_of_the_file(self, acme, run, monkeypatch):
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 1500)
        rows = "".join(f"u{number % 3},i{number},view,964982703\n" for number in range(4000))

        job = run("events", "user_id,item_id,type,occurred_at\n" + rows)

        assert _counts(job) == {"created": 4000}
        with scope.tenant(acme):
            ordered = Interaction.objects.order_by("id").values_list("item__item_id", flat=True)
            assert list(ordered) == [f"i{number}" for number in range(4000)]
            assert EndUser.objects.filter(dirty_at=NOW, last_event_at=NOW).count() == 3

    def test_counts_every_refusal_and_stores_the_first(self, acme, run, monkeypatch):
        monkeypatch.setattr(chunks, "MAX_STORED_ERRORS", 5)
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)

        job = run("items", "item_id\n" + "a\x7fb\n" * 9)

        assert _counts(job) == {"rejected": 9}
        assert [line for line, _, _ in _errors(acme, job)] == [2, 3, 4, 5, 6]

    def test_refuses_events_of_the_unknown_where_the_tenant_wants_that(self, cast, acme, run):
        from accounts.models import Tenant
        from accounts.tenancy import tenant_cache

        run("items", "item_id\na\n")
        run("users", "user_id\nu\n")
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=acme).update(create_unknown=False)
        tenant_cache.load()

        job = run("events", "user_id,item_id,type\nu,a,view\nv,a,view\n")

        assert _counts(job) == {"created": 1, "rejected": 1}
        assert _errors(acme, job) == [(3, "user_id", "unknown_user")]

    def test_an_unreadable_file_fails_the_job_and_keeps_what_was_read(self, acme, run, monkeypatch):
        with pytest.raises(UnreadableFile):
            run("items", "item_id,colour\na,red\n")

        with scope.tenant(acme):
            job = Import.objects.get()
        assert job.status == Import.Status.FAILED
        assert "colour" in job.error

    def test_tells_its_progress_to_the_end(self, acme, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text("item_id\na\n")
        told = []

        _import(acme, "items", path, lambda done, total: told.append((done, total)))

        assert told[-1] == (path.stat().st_size,) * 2

    def test_strangers_see_nothing_of_it(self, cast, run):
        run("items", "item_id\na\nb\x7fc\n")

        with scope.tenant(cast.globex.tenant.pk):
            assert not Import.objects.exists()
            assert not ImportRowError.objects.exists()
            assert not Item.objects.exists()


def test_its_end_is_told_to_who_listens(acme, run):
    with scope.tenant(acme):
        WebhookEndpoint.objects.create(tenant_id=acme, url="https://hooks.example.org/", events=["import.done"])

    job = run("items", "item_id,title\na,A\n,B\n")

    with scope.tenant(acme):
        (delivery,) = WebhookDelivery.objects.all()
    told = json.loads(delivery.body)["data"]
    assert (told["import"], told["kind"], told["status"]) == (job.pk, "items", "done")
    assert (told["created"], told["rejected"]) == (1, 1)


FULL = (
    "item_id,title,description,categories,attributes,available_until\n"
    'a,Kettle,Boils water.,Kitchen|Red,"{""price"": 20}",2027-01-01T00:00:00Z\n'
)


def _item(tenant_id, item_id="a"):
    with scope.tenant(tenant_id):
        fields = ("title", "description", "categories", "attributes", "hidden")
        return Item.objects.values_list(*fields).get(item_id=item_id)


class TestFieldsThatAreNotThere:
    def test_a_column_that_is_not_in_the_header_leaves_its_field(self, acme, run):
        run("items", FULL)

        job = run("items", "item_id,hidden\na,true\n")

        assert _counts(job) == {"updated": 1}
        assert _item(acme) == ("Kettle", "Boils water.", ["Kitchen", "Red"], {"price": 20}, True)

    def test_a_key_that_a_line_of_ndjson_does_not_have_leaves_its_field(self, acme, run):
        run("items", FULL)

        run("items", '{"item_id": "a", "title": "Teapot"}\n', "file.ndjson")

        assert _item(acme) == ("Teapot", "Boils water.", ["Kitchen", "Red"], {"price": 20}, False)

    def test_an_empty_cell_of_a_named_column_empties_it(self, acme, run):
        run("items", FULL)

        run("items", "item_id,title,categories\na,,\n")

        assert _item(acme) == ("", "Boils water.", [], {"price": 20}, False)

    def test_people_keep_what_a_file_does_not_name(self, acme, run):
        run("users", 'user_id,segments,locale,attributes\nu,x|y,de,"{""a"": 1}"\n')

        run("users", "user_id,segments\nu,z\n")

        with scope.tenant(acme):
            assert EndUser.objects.values_list("segments", "locale", "attributes").get() == (["z"], "de", {"a": 1})


class TestRowsWithOneId:
    FILE = "item_id,title,categories\na,Shirt,Clothing\na,,\na,,Cotton\nb,Mug,\n"

    def test_empty_cells_of_later_rows_empty_nothing(self, acme, run):
        job = run("items", self.FILE)

        assert _counts(job) == {"created": 2, "duplicate": 2}
        assert _item(acme)[:3] == ("Shirt", "", ["Cotton"])
        assert _counts(run("items", self.FILE)) == {"unchanged": 2, "duplicate": 2}

    def test_also_over_the_ends_of_chunks(self, acme, run, monkeypatch):
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 1)

        run("items", self.FILE)

        assert _item(acme)[:3] == ("Shirt", "", ["Cotton"])

    def test_an_empty_cell_of_the_first_row_empties_and_a_later_one_fills(self, acme, run):
        run("items", "item_id,title,description\na,Old,Text\n")

        run("items", "item_id,title,description\na,,\na,New,\n")

        assert _item(acme)[:2] == ("New", "")
