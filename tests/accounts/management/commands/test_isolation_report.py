"""The isolation report shows an auditor the rules, and fails on a hole."""

import io
import json
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from accounts.isolation import database, rules
from tests.database import owner_url

ITEMS = "recommendations_item"


def report(**options) -> dict[str, Any]:
    out = io.StringIO()
    call_command("isolation_report", json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


@pytest.fixture
def without_row_security(committed_db):
    """Items without their policies, as a careless migration would leave them."""
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {ITEMS} DISABLE ROW LEVEL SECURITY")
        yield
        owner.execute(f"ALTER TABLE {ITEMS} ENABLE ROW LEVEL SECURITY")


class TestReport:
    def test_shows_roles_policies_and_matrix(self, committed_db, cast):
        cast.acme.http.put("/api/v1/items/i", {"title": "x"}, format="json")
        told = report()
        tables = {table["name"]: table for table in told["tables"]}

        assert (told["wrong"], told["tenants_looked_at"]) == ([], 2)
        assert [role["used_for"] for role in told["roles"]] == ["serving", "migrating"]
        assert not told["roles"][0]["superuser"]
        assert {ITEMS, "recommendations_enduser", "accounts_apiclient"} <= tables.keys()
        assert all(table["forced"] and "docent.tenant" in table["policy"] for table in tables.values())
        assert {rule["operation"] for rule in told["matrix"]} == {rule.operation for rule in rules.matrix()}

    @pytest.mark.slow
    def test_is_text_for_people(self, committed_db, cast):
        out = io.StringIO()
        call_command("isolation_report", stdout=out)

        assert "Database roles" in out.getvalue()
        assert "item_get" in out.getvalue()

    def test_fails_when_a_table_is_open(self, cast, without_row_security):
        cast.acme.http.put("/api/v1/items/i", {"title": "x"}, format="json")

        with pytest.raises(CommandError, match=f"{ITEMS}: row-level security is not enabled"):
            report()

    def test_sees_rows_that_must_not_be_seen(self, cast, without_row_security):
        cast.acme.http.put("/api/v1/items/i", {"title": "x"}, format="json")
        tables = {table.name: table for table in database.tables([cast.globex.tenant.pk])}

        assert (tables[ITEMS].seen_without_scope, tables[ITEMS].seen_of_others) == (1, 1)
        assert tables["recommendations_enduser"].fault == ""
