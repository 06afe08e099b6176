"""While tenants build, another's events reach its lists as soon as ever, and no short task of beat expires.

Real web processes, workers as `make demo` starts them, beat, PostgreSQL and Valkey. Two tenants build at once, on two
processes. Each second somebody of a third one chooses the first item of their list; measured is the time from the
answer to POST /events to the first answer whose list is without it.
"""

import contextlib
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from django.db import connection

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.queue import enqueue
from recommendations.interactions.task_names import RESCORE
from recommendations.models import Build, EndUser
from recommendations.pipeline.builds import lifecycle
from tests.core import web_process
from tests.drills.caller import Caller
from tests.recommendations.pipeline.generated import build_now, fill
from tests.size import sized
from tests.workers import processes

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(900)]
# Of each tenant that builds: on two idle cores a build of half a minute, and of minutes.
PEOPLE, ITEMS, EVENTS_EACH = sized(short=1000, long=6000), sized(short=500, long=3000), sized(short=20, long=60)
WARM_SECONDS, CALM_SECONDS = sized(short=4, long=8), sized(short=6, long=30)
# The short form looks at the first part of the builds.
BUSY_SECONDS = sized(short=20, long=800)
# People of the tenant of whom everybody waits.
CROWD, CROWD_SECONDS = sized(short=400, long=3000), sized(short=12, long=60)
BAR_SECONDS = 3.0
LOOKED_AFTER = 0.1
GIVEN_UP_AFTER = sized(short=20.0, long=60.0)
OTHERS = sized(short=200, long=1200)


@dataclass
class Watch:
    """Somebody of the tenant does something each second, while it runs; how long each took to be in the list."""

    port: int
    token: str
    people: list[str]
    took: list[float] = field(default_factory=list)

    def during(self, ended):
        """Until `ended()` says so."""
        before = len(self.took)
        with ThreadPoolExecutor(64) as pool:
            sent = []
            while not ended():
                sent.append(pool.submit(self._follow, self.people.pop()))
                time.sleep(1.0)
            self.took += [each.result() for each in sent]
        return np.array(self.took[before:])

    def until_it_follows(self):
        """Workers take a while to start; what is measured is not that."""
        assert any(self._follow(self.people.pop()) < GIVEN_UP_AFTER for _ in range(6)), "no worker"

    def _follow(self, person):
        url = f"/users/{person}/recommendations?limit=20"
        with Caller(self.port, self.token) as caller:
            item = caller.get(url)["items"][0]["item_id"]
            caller.call("POST", "/events", {"user_id": person, "item_id": item, "type": "view"})
            answered = time.monotonic()
            while time.monotonic() - answered < GIVEN_UP_AFTER:
                if item not in [entry["item_id"] for entry in caller.get(url)["items"]]:
                    break
                time.sleep(LOOKED_AFTER)
            return time.monotonic() - answered


def said(name, took):
    p50, p95, most = (float(value) for value in (*np.percentile(took, [50, 95]), took.max()))
    return f"{name}: {len(took)} events, p50 {p50:.2f} s, p95 {p95:.2f} s, at most {most:.2f} s"


def seconds(count):
    """Says when so many have passed."""
    ends = time.monotonic() + count
    return lambda: time.monotonic() >= ends


@pytest.fixture
def stage(cast):
    fill(cast.globex.tenant, people=OTHERS, items=200)
    build_now(cast.globex.tenant)
    with scope.all_tenants("drill: a third tenant"):
        third = Tenant.objects.create(slug="third", name="Third", plan=cast.acme.tenant.plan)
    cast.building = [cast.acme.tenant, third]
    for tenant in cast.building:
        fill(tenant, people=PEOPLE, items=ITEMS, events_each=EVENTS_EACH)
    return cast


@contextlib.contextmanager
def serving(tmp_path, workers):
    shared = {"ARTEFACT_CACHE_DIR": str(tmp_path / "host"), "BUILD_LEASE_SECONDS": "8"}
    with (
        web_process.serving(tmp_path, WEB_CONCURRENCY="1") as web,
        workers(**shared) as started,
        processes.beat(),
    ):
        yield web, started if isinstance(started, dict) else {"worker": started}


def builds(tenants):
    """Starts one for each, and says when all have ended, or when BUSY_SECONDS are over."""
    begun = [lifecycle.start(tenant_id=tenant.pk, reason="drill", now=clock.now(), ai=False).pk for tenant in tenants]
    over = seconds(BUSY_SECONDS)

    def ended():
        with scope.all_tenants("drill: how the builds go"):
            statuses = list(Build.objects.filter(pk__in=begun).values_list("status", flat=True))
        assert Build.Status.FAILED not in statuses
        return over() or set(statuses) == {Build.Status.PUBLISHED}

    return ended


def measured(stage, web):
    """Seconds without and with builds."""
    watch = Watch(web.port, stage.globex.admin.token, [f"u{number:04d}" for number in range(OTHERS)])
    watch.until_it_follows()
    watch.during(seconds(WARM_SECONDS))  # until every process has what it needs
    return watch.during(seconds(CALM_SECONDS)), watch.during(builds(stage.building))


def test_builds_delay_nobody_else_and_no_task_expires(stage, tmp_path):
    with serving(tmp_path, processes.layout) as (web, workers):
        calm, busy = measured(stage, web)
        print(f"\n{said('without builds', calm)}\n{said('while two tenants build', busy)}")

        assert np.percentile(busy, 95) <= BAR_SECONDS + sized(short=float(np.percentile(calm, 95)), long=0.0)
        assert {name: expired(each) for name, each in workers.items()} == {name: [] for name in workers}


@pytest.mark.long
def test_with_one_worker_for_everything_builds_are_felt(stage, tmp_path):
    """The proof that the drill can fail."""
    with serving(tmp_path, processes.worker) as (web, workers):
        calm, busy = measured(stage, web)
        lost = expired(workers["worker"])
        print(f"\none worker, {said('without builds', calm)}\none worker, {said('while two tenants build', busy)}")
        print(f"{len(lost)} tasks expired")

        assert np.percentile(busy, 95) > BAR_SECONDS + sized(short=float(np.percentile(calm, 95)), long=0.0)
        assert lost


@contextlib.contextmanager
def everybody_waits(tenant):
    """All people of the tenant wait for near line again and again, as under more events than can be kept up with."""
    over = threading.Event()

    def mark():
        while not over.wait(0.2):
            with scope.tenant(tenant.pk):
                EndUser.objects.filter(tenant=tenant, dirty_at=None).update(dirty_at=clock.now())
                enqueue(RESCORE, tenant_id=tenant.pk, user_pks=[])
        connection.close()

    thread = threading.Thread(target=mark)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def crowded(cast):
    fill(cast.globex.tenant, people=OTHERS, items=200)
    build_now(cast.globex.tenant)
    fill(cast.acme.tenant, people=CROWD, items=300)
    build_now(cast.acme.tenant)
    return cast


def measured_beside_a_crowd(stage, web):
    watch = Watch(web.port, stage.globex.admin.token, [f"u{number:04d}" for number in range(OTHERS)])
    watch.until_it_follows()
    watch.during(seconds(WARM_SECONDS))
    calm = watch.during(seconds(CALM_SECONDS))
    with everybody_waits(stage.acme.tenant):
        watch.during(seconds(WARM_SECONDS))
        return calm, watch.during(seconds(CROWD_SECONDS))


def test_a_tenant_of_whom_everybody_waits_delays_nobody_else(crowded, tmp_path):
    with serving(tmp_path, processes.layout) as (web, _):
        calm, busy = measured_beside_a_crowd(crowded, web)
    print(f"\n{said('without a crowd', calm)}\n{said('beside a crowd', busy)}")

    assert np.percentile(busy, 95) <= BAR_SECONDS + sized(short=float(np.percentile(calm, 95)), long=0.0)


@pytest.mark.long
def test_with_as_many_lanes_as_messages_the_crowd_is_felt(crowded, tmp_path):
    """The proof that the drill can fail."""
    with serving(tmp_path, lambda **shared: processes.layout(NEARLINE_LANES="1000", **shared)) as (web, _):
        _, busy = measured_beside_a_crowd(crowded, web)
    print(f"\n{said('beside a crowd, without lanes', busy)}")

    assert np.percentile(busy, 95) > BAR_SECONDS


def expired(worker):
    """The tasks that the worker threw away, as its log names them."""
    return re.findall(r"Discarding revoked task: (\S+)", worker.output)
