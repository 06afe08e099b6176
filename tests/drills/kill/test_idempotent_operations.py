"""Every idempotent write of the OpenAPI document, over real processes: sixteen at once, another body, kill -9."""

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from accounts.tenancy import scope
from config.devservers.ports import LOOPBACK
from core.idempotency.models import IdempotencyKey
from recommendations.imports.models import Import
from tests.core import web_process
from tests.database import owner_url
from tests.drills.kill.idempotent_operations import JSON, Operation, operations
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(1800)]
AT_ONCE = 16
KILLS = sized(short=1, long=20)  # for each operation; every other one inside the effect, the rest anywhere
LEASE_SECONDS = 2  # and the deadline of a request
DEADLINE_SECONDS = 30.0
REQUEST_SECONDS = 0.06
# What is written beside the effect: the keys themselves, and when a client was last seen.
_ASIDE = ("core_idempotencykey", "accounts_apiclient")
# Its key is claimed in the effect's own transaction, so a kill inside leaves no claim.
_CLAIMED_WITH_THE_EFFECT = "event_send"


class Tenant:
    """A member of the cast, over the wire."""

    def __init__(self, web, member):
        self.web, self.pk, self._token = web, member.tenant.pk, member.admin.token

    def send(self, operation: Operation, key: str, *, body: bytes | None = None, port: int = 0):
        """One request on a connection from the given port."""
        there = http.client.HTTPConnection(LOOPBACK, self.web.port, timeout=20, source_address=(LOOPBACK, port))
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": operation.content_type}
        try:
            sent = operation.body if body is None else body
            there.request(operation.method, operation.path, sent, {**headers, "Idempotency-Key": key})
            answer = there.getresponse()
            return web_process.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            there.close()

    def retry(self, operation, key):
        """Again until it is served, as a client does whose connection broke."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.send(operation, key)
                if answer.status not in {409, 503}:
                    return answer
            time.sleep(0.1)
        raise AssertionError(f"{operation.name} was not served in time")

    def prepare(self, operation):
        """The objects of which the request speaks are there, and are not what it makes of them."""
        for kind, name in sorted(operation.objects):
            answer = self.web.ask("PUT", f"/api/v1/{kind}/{name}", token=self._token, body="{}", Content_Type=JSON)
            assert answer.status in {200, 201}, answer.body
        with scope.tenant(self.pk):  # no worker takes them in, and a tenant has but ten open ones
            Import.objects.update(status=Import.Status.CANCELLED)

    def rows(self):
        """Number of the tenant's rows in each table, with a digest of their versions."""
        found = {}
        with scope.tenant(self.pk), connection.cursor() as cursor:
            for table in tables():
                cursor.execute(
                    f"SELECT count(*), md5(string_agg(ctid::text || xmin::text, ',' ORDER BY ctid)) FROM {table}"
                    " WHERE tenant_id = %s",
                    [self.pk],
                )
                found[table] = cursor.fetchone()
        return found

    def state(self, key):
        """The key's state; None where nobody has it."""
        with scope.tenant(self.pk):
            return IdempotencyKey.objects.filter(key=key).values_list("state", flat=True).first()


def tables():
    """Every table of tenants' rows but those that are written beside an effect."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall() if name not in _ASIDE]


def grown(before, after):
    return {table: after[table][0] - before[table][0] for table in after}


@pytest.fixture
def web(cast, tmp_path):
    with web_process.serving(
        tmp_path,
        WEB_CONCURRENCY="3",
        API_DEADLINE_SECONDS=str(LEASE_SECONDS),
        DB_POOL_MAX_SIZE="6",
        STORAGE_DIR=str(tmp_path / "storage"),
    ) as running:
        yield running


def check_at_once(operation, acme, globex):
    """One key, one body, sixteen at once over three processes; then another body."""
    key = f"{operation.name}-at-once"
    for tenant in (acme, globex):
        tenant.prepare(operation)
    before = acme.rows(), globex.rows()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: acme.send(operation, key), range(AT_ONCE)))
    once = globex.send(operation, key)
    other = acme.send(operation, key, body=operation.other_body)
    first = [each for each in answers if each.status != 409 and "idempotent-replayed" not in each.headers]

    assert len(first) == 1, Counter(each.status for each in answers)
    assert 200 <= first[0].status < 300, first[0].body
    for each in answers:
        if each.status == 409:
            assert int(each.headers["retry-after"]) >= 1
        else:
            assert (each.status, each.body) == (first[0].status, first[0].body)
    assert once.status == first[0].status
    assert grown(before[0], acme.rows()) == grown(before[1], globex.rows())
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")


def check_kill(operation, acme, key, kill):
    """The process that serves the request is killed, then the client tries again. Returns the key's state in between.

    Only two things may be found after the kill: nothing at all, or the whole effect with its stored answer.
    """
    acme.prepare(operation)
    before = acme.rows()
    kill(operation, acme, key)
    wait_for_backends()
    state, found = acme.state(key), acme.rows()
    assert found == before or state == "done", operation.name

    first = acme.retry(operation, key)
    done = acme.rows()
    again = acme.retry(operation, key)

    assert 200 <= first.status < 300, first.body
    assert ("idempotent-replayed" in first.headers) == (state == "done")
    assert (done == found) == (state == "done")
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (first.status, first.body, "true")
    assert acme.rows() == done
    return state


def kill_inside_the_effect(operation, acme, key):
    """Nobody can write the tenants' rows, so the request waits in the middle of its transaction."""
    names = sql.SQL(", ").join(map(sql.Identifier, tables()))
    with psycopg.connect(owner_url()) as owner:
        owner.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names))
        kill_when(operation, acme, key, somebody_waits)
        assert acme.state(key) == (None if operation.name == _CLAIMED_WITH_THE_EFFECT else "in_flight")


def kill_anywhere(operation, acme, key):
    """After a time in which it may have come to anything."""
    kill_when(operation, acme, key, lambda: time.sleep(random.uniform(0.0, REQUEST_SECONDS)))


def kill_when(operation, acme, key, ready):
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]

    def send():
        with contextlib.suppress(OSError, http.client.HTTPException):
            acme.send(operation, key, port=port)

    sender = threading.Thread(target=send)
    sender.start()
    ready()
    if (worker := serving(acme.web, port)) is not None:
        os.kill(worker, signal.SIGKILL)
    sender.join()


def serving(web, port):
    """The worker that holds the connection from this port; None once it is closed."""
    here = f"0100007F:{web.port:04X} 0100007F:{port:04X}"
    inodes = [line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if here in line]
    server = web.process.pid
    for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink().name in {f"socket:[{inode}]" for inode in inodes}:
                        return int(pid)
    return None


def somebody_waits():
    assert poll(lambda: backends("wait_event_type = 'Lock'") > 0), "nothing was written"


def wait_for_backends():
    """A backend ends what it was sent before it sees that its client is gone, the commit included."""
    assert poll(lambda: backends("state <> 'idle' AND pid <> pg_backend_pid()") == 0), "a transaction does not end"


def backends(condition):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            f" AND backend_type = 'client backend' AND {condition}"
        )
        return cursor.fetchone()[0]


def poll(ready):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.005)
    return False


def test_every_operation_of_the_document(web, cast):
    acme, globex = Tenant(web, cast.acme), Tenant(web, cast.globex)
    seen: Counter[tuple[str, str | None]] = Counter()
    listed = operations()
    assert len(listed) >= 10

    for operation in listed:  # first, while both tenants have the same history
        check_at_once(operation, acme, globex)
    for number, operation in enumerate(listed * KILLS):
        kill = (kill_inside_the_effect, kill_anywhere)[(number + number // len(listed)) % 2]
        state = check_kill(operation, acme, f"{operation.name}-{number}", kill)
        seen[kill.__name__, state] += 1

    print(f"{len(listed)} operations; kills, and the key's state after them: {dict(seen)}")
    assert (
        sum(times for (kill, _), times in seen.items() if kill == "kill_inside_the_effect") >= len(listed) * KILLS // 2
    )
    _a_write_that_ignores_its_key_would_be_seen(listed, acme, globex)


def _a_write_that_ignores_its_key_would_be_seen(listed, acme, globex):
    """The proof that the drill can fail."""
    (event,) = [each for each in listed if each.name == "event_send"]
    plain = acme.send
    acme.send = lambda operation, key, **more: plain(operation, f"{key}-{random.random()}", **more)
    with pytest.raises(AssertionError, match="201"):
        check_at_once(event, acme, globex)
