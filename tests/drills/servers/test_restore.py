"""An older dump of PostgreSQL and of Redis is restored, and who was erased since stays erased."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from accounts.tenancy import scope
from config.devservers.binaries import find_postgres
from core import clock, redis
from recommendations.models import EndUser, Interaction
from tests.database import owner_url
from tests.recommendations.pipeline.generated import build_now
from tests.recommendations.privacy import everywhere
from tests.recommendations.privacy.known import ADA, introduce, known

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(300),
]
ANON = "anonymous~visitor~1852"
OTHERS = 20


def program(name: str) -> str:
    """PostgreSQL's own tools, beside the server that the tests use, else of the machine."""
    beside = find_postgres().postgres.parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> None:
    """As docs/operations/privacy.md says: the owner sees all rows of all tenants."""
    environment = {**os.environ, "PGOPTIONS": "-c docent.scope=all"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def restored(dump: Path) -> Any:
    """The dump in a database of its own, to which the service's connections point meanwhile."""
    name = f"docent_restored_{os.getpid()}"
    before = {alias: connections[alias].settings_dict["NAME"] for alias in ("default", "owner")}
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = f"{settings.DATABASE_OWNER_URL.rpartition('/')[0]}/{name}"
            run(program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={url}", dump)
            point_to(dict.fromkeys(before, name))
            yield
        finally:
            point_to(before)
            # Without FORCE, which would have to end an autovacuum of the superuser's, and may not.
            owner.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def point_to(names: dict[str, Any]) -> None:
    for alias, name in names.items():
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = settings.DATABASES[alias]["NAME"] = name


def snapshot_of_redis() -> dict[bytes, bytes]:
    client = redis.client()
    return {key: client.dump(key) for key in client.scan_iter(count=1000)}


def restore_redis(snapshot: dict[bytes, bytes]) -> None:
    redis.client().flushdb()
    for key, value in snapshot.items():
        if value is not None:
            redis.client().restore(key, 0, value)


def test_who_was_erased_since_the_dump_stays_erased(cast, tmp_path):
    acme = cast.acme
    known(acme, clock.now())  # ADA, with a build whose lists are in Redis
    introduce(acme, ANON)
    dump = tmp_path / "dump"
    run(program("pg_dump"), "--format=custom", "--enable-row-security", f"--file={dump}", owner_url())
    redis_then = snapshot_of_redis()

    merged = acme.http.post(f"/api/v1/users/{ADA}/merge", {"from": ANON}, format="json")
    erased = acme.http.delete(f"/api/v1/users/{ADA}")
    assert (merged.status_code, erased.status_code) == (200, 200)
    assert everywhere.places(ADA) == []

    with restored(dump):
        restore_redis(redis_then)
        # The proof that the drill can fail: without the log they are back, also in Redis.
        back = everywhere.places(ADA)
        assert {place.split()[0] for place in back} == {"table", "key"}, "files are not a part of the dump"
        assert everywhere.places(ANON)

        call_command("migrate", verbosity=0)
        call_command("apply_erasures")

        assert everywhere.places(ADA) == []
        build = build_now(acme.tenant)
        assert everywhere.places(ADA) == []
        with scope.tenant(acme.tenant.pk):
            assert build.status == "published"
            # The visitor's own row went as well; what the dump holds of others stays.
            assert EndUser.objects.count() == OTHERS
            assert Interaction.objects.values("end_user").distinct().count() == OTHERS
            assert not EndUser.objects.filter(user_id=ANON).exists()
