"""Tokens under a race, under a rotation and under a loss of Redis, over real web processes.

A second use of a refresh token ends its family whichever process saw the first; keys change without a 401 for a good
token; who is revoked stays out while Redis is emptied again and again, and while it is away.
"""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import jwt
import pytest
from django.core.management import call_command
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import RefreshFamily, ReplayAttempt, SigningKey
from accounts.tenancy import scope
from accounts.tokens import clients
from core import clock
from tests.accounts.proofs import Holder
from tests.core.ratelimit.conftest import own_server  # noqa: F401  # a fixture
from tests.core.web_process import WebProcess, serving
from tests.size import sized

pytestmark = pytest.mark.drill
SIMULTANEOUS = 16
READ = "/api/v1/items?limit=1"


def post(web: WebProcess, caller, path="/api/v1/auth/token", **body):
    own = {"client_id": caller.client.client_id, "client_secret": caller.secret}
    return web.ask("POST", path, body=json.dumps({**own, **body}), Content_Type="application/json")


def prevented(web: WebProcess, kind: str) -> float:
    families = text_string_to_metric_families(web.ask("GET", "/metrics").body.decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "jwt_replay_prevented_total" and sample.labels == {"kind": kind}
    )


@contextlib.contextmanager
def two_servers(folder, **more) -> Iterator[list[WebProcess]]:
    """Two servers of one process each, so that who is asked is certain."""
    given = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "8", "TOKEN_RATE": "1000000/m", "PROCESS_REFRESH_SECONDS": "1"}
    with ExitStack() as stack:
        folders = [folder / name for name in ("one", "two")]
        for each in folders:
            each.mkdir()
        yield [stack.enter_context(serving(each, **given, **more)) for each in folders]


@contextlib.contextmanager
def under_load(work: Callable[[int], None], *, threads: int) -> Iterator[None]:
    """`work(number)` again and again in each thread until the end; what it raises fails the test."""
    stop, errors = threading.Event(), []

    def run(number: int) -> None:
        try:
            while not stop.is_set():
                work(number)
        except BaseException as error:  # noqa: BLE001  # told by the test, not by a thread
            errors.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for each in running:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in running:
            each.join()
    assert errors == []


def until(condition: Callable[[], bool], *, seconds: float) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.timeout(300)
def test_of_simultaneous_uses_of_a_refresh_token_one_succeeds_and_the_family_is_dead(committed_db, cast, tmp_path):
    trials = sized(short=50, long=200)
    outcomes: Counter[tuple[int, ...]] = Counter()
    caller = cast.acme.admin
    with two_servers(tmp_path, REDIS_READ_TIMEOUT_SECONDS="5") as webs, ThreadPoolExecutor(SIMULTANEOUS) as pool:
        other = post(webs[0], caller, grant_type="client_credentials", scope="offline_access").json()
        ended = []
        for _ in range(trials):
            grant = post(webs[0], caller, grant_type="client_credentials", scope="catalog:read offline_access").json()
            barrier = threading.Barrier(SIMULTANEOUS)

            def use(number, token=grant["refresh_token"], barrier=barrier):
                barrier.wait()
                return post(webs[number % 2], caller, grant_type="refresh_token", refresh_token=token)

            answers = list(pool.map(use, range(SIMULTANEOUS)))
            outcomes[tuple(sorted(answer.status for answer in answers))] += 1
            (winner,) = (answer.json() for answer in answers if answer.status == 200)
            after = post(webs[1], caller, grant_type="refresh_token", refresh_token=winner["refresh_token"])
            outcomes[(after.status,)] += 1
            ended += [grant["access_token"], winner["access_token"]]
        until(lambda: {web.ask("GET", READ, token=ended[-1]).status for web in webs} == {401}, seconds=5)
        statuses = {web.ask("GET", READ, token=token).status for token in ended for web in webs}
        counted = sum(prevented(web, "refresh") for web in webs)
        alive = post(webs[1], caller, grant_type="refresh_token", refresh_token=other["refresh_token"])

    assert outcomes == {(200, *[401] * (SIMULTANEOUS - 1)): trials, (401,): trials}
    assert statuses == {401}
    assert counted == trials * (SIMULTANEOUS - 1)
    assert alive.status == 200
    with scope.tenant(cast.acme.tenant.pk):
        assert ReplayAttempt.objects.count() == counted
        assert RefreshFamily.objects.filter(ended_why="replayed").count() == trials
    print(f"\n{trials} trials of {SIMULTANEOUS}: one success each, {counted:.0f} replays prevented")


@pytest.mark.timeout(180)
def test_keys_are_rotated_under_load_without_refusing_a_good_token(committed_db, cast, tmp_path, settings):
    settings.JWT_PUBLISH_SECONDS = 4
    caller, lock = cast.acme.admin, threading.Lock()
    seen: Counter[tuple[str, int]] = Counter()
    stop_old = threading.Event()

    def kid(token):
        return jwt.get_unverified_header(token)["kid"]

    def listed():
        return [{key["kid"] for key in web.ask("GET", "/.well-known/jwks.json").json()["keys"]} for web in webs]

    def work(number):
        """A token from one server, good for both of them; never one that the ring has retired."""
        token = post(webs[number % 2], caller, grant_type="client_credentials").json()["access_token"]
        for call in range(20):
            if stop_old.is_set() and kid(token) == old:
                return
            status = webs[call % 2].ask("GET", READ, token=token).status
            with lock:
                seen[kid(token), status] += 1

    with two_servers(tmp_path) as webs:
        old_token = post(webs[0], caller, grant_type="client_credentials").json()["access_token"]
        old = kid(old_token)
        with under_load(work, threads=6):
            time.sleep(1)
            call_command("rotate_jwks", verbosity=0)
            new = SigningKey.objects.exclude(kid=old).get().kid
            until(lambda: listed() == [{old, new}, {old, new}], seconds=3)
            assert {key for key, _ in seen} == {old}  # published, and does not sign yet
            until(lambda: seen[new, 200] > 100, seconds=20)
            stop_old.set()
            time.sleep(0.5)
            assert webs[0].ask("GET", READ, token=old_token).status == 200
            # What would come in an hour and a minute.
            SigningKey.objects.filter(kid=old).update(accepted_until=clock.now() + timedelta(seconds=2))
            until(lambda: {web.ask("GET", READ, token=old_token).status for web in webs} == {401}, seconds=6)
            assert listed() == [{new}, {new}]
            time.sleep(1)

    assert {status for _, status in seen} == {200}
    assert min(seen[old, 200], seen[new, 200]) > 100
    print(f"\n{seen[old, 200]} reads with the old key's tokens, {seen[new, 200]} with the new one's: no 401")


@pytest.mark.timeout(180)
def test_who_is_revoked_stays_out_while_redis_is_emptied_and_while_it_is_away(
    committed_db,
    cast,
    tmp_path,
    own_server,  # noqa: F811  # the fixture
):
    from core import redis

    good, out = cast.acme.admin, cast.acme.reader
    later = cast.globex.reader
    refused = threading.Event()
    seen: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def work(number):
        web = webs[number % 2]
        for name, caller in (("good", good), ("out", out)):
            after = refused.is_set()
            status = web.ask("GET", READ, token=caller.token).status
            if name == "good" or after:
                with lock:
                    seen[name, status] += 1

    with two_servers(tmp_path) as webs, under_load(work, threads=6):
        with scope.tenant(cast.acme.tenant.pk):
            clients.deactivate(client=out.client, now=clock.now())
        quick = until(lambda: {web.ask("GET", READ, token=out.token).status for web in webs} == {401}, seconds=5)
        refused.set()
        ends = time.monotonic() + sized(short=6, long=60)
        emptied = 0
        while time.monotonic() < ends:
            redis.client().flushall()
            emptied += 1
            time.sleep(0.05)
        assert webs[0].ask("GET", READ, token=later.token).status == 200
        own_server.kill()
        with scope.tenant(cast.globex.tenant.pk):
            clients.deactivate(client=later.client, now=clock.now())
        slow = until(lambda: {web.ask("GET", READ, token=later.token).status for web in webs} == {401}, seconds=5)
        time.sleep(2)

    assert {key for key in seen if key[0] == "out"} == {("out", 401)}
    assert {key for key in seen if key[0] == "good"} == {("good", 200)}
    assert min(seen.values()) > 50
    print(f"\nrefused after {quick:.2f} s, without Redis after {slow:.2f} s; emptied {emptied} times; {dict(seen)}")


class ProvingClient:
    """A client whose token is bound to a key, which it proves in each request (DPoP)."""

    def __init__(self, web: WebProcess, caller) -> None:
        self._web, self._caller, self._holder, self._token = web, caller, Holder(), ""

    def fetch_token(self) -> bool:
        """Returns true if the server has given a token."""
        own = {"client_id": self._caller.client.client_id, "client_secret": self._caller.secret}
        answer = self._web.ask(
            "POST",
            "/api/v1/auth/token",
            body=json.dumps({**own, "grant_type": "client_credentials"}),
            Content_Type="application/json",
            DPoP=self._holder.proof("POST", self._address("/api/v1/auth/token")),
        )
        self._token = answer.json().get("access_token", "")
        return bool(self._token)

    def proof(self) -> str:
        return self._holder.proof("GET", self._address("/api/v1/items"), self._token)

    def read(self, proof: str) -> int:
        """Returns the status of a read with this proof."""
        return self._web.ask("GET", "/api/v1/items", Authorization=f"DPoP {self._token}", DPoP=proof).status

    def _address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._web.port}{path}"


@pytest.mark.timeout(180)
def test_a_proof_is_never_accepted_twice_not_even_around_a_loss_of_redis(
    committed_db,
    cast,
    tmp_path,
    own_server,  # noqa: F811  # the fixture
):
    trials = sized(short=20, long=200)
    accepted: Counter[int] = Counter()
    given = {"WEB_CONCURRENCY": "2", "PROCESS_REFRESH_SECONDS": "1", "TOKEN_RATE": "1000000/m"}
    with serving(tmp_path, **given) as web, ThreadPoolExecutor(SIMULTANEOUS) as pool:
        client = ProvingClient(web, cast.acme.reader)
        until(client.fetch_token, seconds=15)
        shown = []
        for _ in range(trials):
            shown.append(client.proof())
            accepted[list(pool.map(client.read, [shown[-1]] * SIMULTANEOUS)).count(200)] += 1
        counted = prevented(web, "dpop")
        own_server.kill()
        away = {client.read(one) for one in [*shown[-8:], client.proof()]}
        own_server.restart()
        ends, after, fresh = time.monotonic() + 11, set(), 0
        while time.monotonic() < ends:
            after |= {client.read(one) for one in shown[-8:]}
            fresh += client.read(client.proof()) == 200

    assert accepted == {1: trials}
    assert counted == trials * (SIMULTANEOUS - 1)
    assert away == {503}
    assert after <= {401, 503}
    assert fresh > 0
    print(f"\n{trials} proofs shown {SIMULTANEOUS} times: once each. Redis away: {away}; back: {after}, new ones good")
