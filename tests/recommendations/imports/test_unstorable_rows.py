"""Rows that cannot be stored cost themselves, and nothing else."""

import pytest
from django.db import DataError

from accounts.tenancy import scope
from recommendations.catalog import validators
from recommendations.imports import chunks, lifecycle
from recommendations.imports.models import ImportRowError
from tests.recommendations.imports.started import reread, run, start

pytestmark = pytest.mark.usefixtures("small_chunks")


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
