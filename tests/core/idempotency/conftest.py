"""A table for effects, under row-level security as any tenant table, and clients that call the test-only views."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.conf import settings as configured
from django.db import connection, connections
from django.db.migrations.state import ProjectState
from rest_framework.test import APIClient

from accounts.tenancy import scope
from core.postgres.row_level_security import EnableTenantScope
from core.principal import Principal
from tests.core.idempotency import views

ACME, GLOBEX = 1, 2


@pytest.fixture
def effects(committed_db: None) -> Iterator[Callable[..., int]]:
    """Counts a tenant's effects; committed for real."""
    owner, app = connections["owner"], configured.DATABASES["default"]["USER"]
    with owner.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {views.TABLE} (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, note text NOT NULL)"
        )
        cursor.execute(f'GRANT ALL ON {views.TABLE}, {views.TABLE}_id_seq TO "{app}"')
    with owner.schema_editor() as editor:
        EnableTenantScope(views.TABLE).database_forwards("core", editor, ProjectState(), ProjectState())
    yield count_effects
    connection.close()
    with owner.cursor() as cursor:
        cursor.execute(f"DROP TABLE {views.TABLE}")


@pytest.fixture
def ten_seconds(settings: LazySettings) -> None:
    """The lease that tests of `now` count with."""
    settings.API_DEADLINE_SECONDS = 10.0


def count_effects(tenant_id: int = ACME) -> int:
    """The tenant's rows."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {views.TABLE}")
        return int(cursor.fetchone()[0])


def client(tenant_id: int = ACME, client_id: str = "shop") -> APIClient:
    """Calls as this client, already authenticated."""
    caller = APIClient()
    principal = Principal(
        tenant_id=tenant_id, tenant=f"t{tenant_id}", client_id=client_id, scopes=frozenset(), token_id="t"
    )
    caller.force_authenticate(user=principal)  # type: ignore[arg-type]  # DRF takes any user
    return caller


def post(caller: APIClient, path: str = "/effects", *, key: str | None = "k", note: str = "n", **body: object):
    """A write with a key, whose own time is not what ends it: a process that stands still may outlive its lease."""
    headers = {} if key is None else {"Idempotency-Key": key}
    late: dict[str, Any] = {"docent.received_at": time.monotonic() + 60}
    return caller.post(path, {"note": note, **body}, format="json", headers=headers, **late)
