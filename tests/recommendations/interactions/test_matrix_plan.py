"""The window's statement must not depend on what the planner believes: a large import comes before any ANALYZE."""

import psycopg
import pytest
from django.db import connection

from accounts.tenancy import scope
from recommendations.interactions import training_window
from tests.database import owner_url


@pytest.mark.usefixtures("committed_db")
def test_a_window_is_read_without_a_join_when_the_tables_were_analyzed_empty(cast):
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        owner.execute("ANALYZE")
    statement = training_window._WINDOW.replace("COPY (", "EXPLAIN (FORMAT TEXT)").replace(
        ") TO STDOUT (FORMAT BINARY)", ""
    )
    parameters = {"tenant": cast.acme.tenant.pk, "without": [1], "until": None, "limit": 10}

    with scope.tenant(cast.acme.tenant.pk), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "hashed SubPlan" in plan
    assert "Nested Loop" not in plan
