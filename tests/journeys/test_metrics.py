"""Metrics of a server with four processes: exactly what its clients have counted, and few series whatever they ask."""

import json
import random
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import Plan, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope
from accounts.tokens import access_tokens, clients
from config.devservers.ports import LOOPBACK
from core import clock
from core.ops import declarations, measures, metrics_catalogue
from tests.core.web_process import serving
from tests.recommendations.pipeline.generated import build_now, fill

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]
PROCESSES, CLIENTS, ROUNDS = 4, 8, 12
PEOPLE, LIMIT = 40, 100
MOST_SERIES, FUZZED, TENANTS = 3000, 5000, 200
# With Host headers and methods that nobody has, too: a client may send any.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "BREW")


class Scrape:
    """The samples of `/metrics` at one moment."""

    def __init__(self, web):
        self.text = web.ask("GET", "/metrics").body.decode()
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def total(self, name, **labels):
        """The sum of the samples with these labels."""
        return sum(
            value for (each, own), value in self.samples.items() if each == name and labels.items() <= dict(own).items()
        )

    def by(self, name, *labels):
        """The sums by the values of these labels, without those that are zero."""
        sums: Counter[tuple[str, ...]] = Counter()
        for (each, own), value in self.samples.items():
            if each == name:
                sums[tuple(dict(own)[label] for label in labels)] += int(value)
        return +sums

    def counters(self):
        """Everything that only grows."""
        ends = ("_total", "_count", "_bucket", "_sum")
        return {key: value for key, value in self.samples.items() if key[0].endswith(ends)}


@pytest.fixture
def world(committed_db, cast):
    fill(cast.acme.tenant, people=PEOPLE, items=60, cold=5)
    build_now(cast.acme.tenant)
    with scope.all_tenants("test: a limit that is met"):
        limited = Plan.objects.create(name="Limited", **{**UNLIMITED, "read_per_minute": LIMIT, "read_burst": LIMIT})
        Tenant.objects.filter(pk=cast.globex.tenant.pk).update(plan=limited)
    return cast


def test_scrapes_are_monotone_and_equal_the_clients_own_counts(world, tmp_path):
    answers: Counter[tuple[str, ...]] = Counter()
    served: Counter[tuple[str, ...]] = Counter()
    with serving(tmp_path, WEB_CONCURRENCY=str(PROCESSES), WEB_THREADS="4", REDIS_READ_TIMEOUT_SECONDS="5") as web:
        before = Scrape(web)
        scrapes = [before]
        for _ in range(3):
            with ThreadPoolExecutor(CLIENTS) as pool:
                for own_answers, own_served in pool.map(lambda n: _client(web.port, world, n), range(CLIENTS)):
                    answers += own_answers
                    served += own_served
            scrapes.append(Scrape(web))
        replays = _replay_a_refresh_token(web, world.acme.admin)
        measures.measure(now=clock.now())
        last = Scrape(web)
        scrapes.append(last)

    for earlier, later in pairwise(scrapes):
        grown = later.counters()
        assert all(grown.get(key, -1.0) >= value for key, value in earlier.counters().items())
    name = "docent_http_request_duration_seconds_count"
    counted = scrapes[-2].by(name, "route", "status") - before.by(name, "route", "status")
    assert {key: times for key, times in counted.items() if key[0] not in ("metrics", "readyz", "healthz")} == answers
    assert scrapes[-2].by("docent_lists_served_total", "source", "degraded") == served
    assert len(served) >= 2
    refused = sum(times for (_, status), times in answers.items() if status == "429")
    assert refused > 0
    assert last.total("rate_limit_rejected_total") == last.total("rate_limit_rejected_total", policy="read") == refused
    assert last.total("idempotency_replayed_total") == answers["events", "201"] - CLIENTS * 3
    assert last.total("jwt_replay_prevented_total", kind="refresh") == replays
    assert last.total("limiter_redis_errors_total") == 0
    assert 0 <= last.total("db_pool_utilization") <= 1
    assert last.total("db_pool_requests_waiting") == 0
    assert last.total("db_pool_wait_seconds_count") > 0
    # Measured elsewhere, and declared in modules that a web process may not use otherwise.
    names = {name for name, _ in last.samples}
    assert names >= {"ai_fallback_ratio", "docent_list_age_seconds", "docent_quota_use_tenants"}
    assert last.total("docent_list_age_seconds") > 0


def _client(port, world, number):
    """Asks on one connection; returns the statuses by route, and the lists by source, as the client counts them."""
    answers: Counter[tuple[str, ...]] = Counter()
    served: Counter[tuple[str, ...]] = Counter()
    connection = HTTPConnection(LOOPBACK, port, timeout=30)
    rounds = random.Random(number)

    def ask(route, method, path, *, member=world.acme, body=None, **headers):
        sent = {"Authorization": f"Bearer {member.admin.token}", "Content-Type": "application/json", **headers}
        connection.request(method, path, body=json.dumps(body) if body else None, headers=sent)
        response = connection.getresponse()
        text = response.read()
        answers[route, str(response.status)] += 1
        return json.loads(text) if text and response.status == 200 else {}

    def count(found):
        if found:
            served[found["source"], found["degraded"] or "none"] += 1

    for _ in range(ROUNDS):
        user = f"u{rounds.randrange(PEOPLE + 5):04d}"
        count(ask("user-recommendations", "GET", f"/api/v1/users/{user}/recommendations"))
        count(ask("user-recommendations", "GET", f"/api/v1/users/{user}/recommendations?limit=3"))
        count(ask("user-recommendations", "GET", "/api/v1/users/nobody/recommendations"))
        batch = {"user_ids": [user, "u0000x"]}
        for found in ask("recommendations-batch", "POST", "/api/v1/recommendations/batch", body=batch).get("data", ()):
            count(found)
        count(ask("recommendations-popular", "GET", "/api/v1/recommendations/popular"))
        ask("unmatched", "GET", f"/api/v1/{user}/nothing")
        ask("items", "GET", "/api/v1/items?limit=1", member=world.globex)
    event = {"user_id": f"u{number:04d}", "item_id": "i0001", "type": "view"}
    key = secrets.token_hex(16)
    for _ in range(3):
        ask("events", "POST", "/api/v1/events", body=event, **{"Idempotency-Key": key})
    connection.close()
    return answers, served


def _replay_a_refresh_token(web, caller):
    """Uses a refresh token once too often; returns how often that was refused as a replay."""

    def token(**body):
        own = {"client_id": caller.client.client_id, "client_secret": caller.secret, **body}
        return web.ask("POST", "/api/v1/auth/token", body=json.dumps(own), Content_Type="application/json")

    grant = token(grant_type="client_credentials", scope="catalog:read offline_access").json()
    used = [token(grant_type="refresh_token", refresh_token=grant["refresh_token"]).status for _ in range(4)]
    assert used == [200, 401, 401, 401]
    return used.count(401)


def test_few_series_are_left_by_thousands_of_paths_and_hundreds_of_tenants(world, tmp_path):
    tokens = _tokens_of_many_tenants(world.acme.tenant.plan)
    routes = [
        "items",
        "items/{}",
        "users/{}",
        "users/{}/recommendations",
        "recommendations/popular",
        "items/{}/similar",
    ]

    def tenant_asks(web, token):
        connection = HTTPConnection(LOOPBACK, web.port, timeout=30)
        for number, route in enumerate(routes):
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("GET", f"/api/v1/{route.format(f'{token[-9:]}{number}')}", headers=headers)
            connection.getresponse().read()
        connection.close()

    def fuzz(web, seed):
        draw = random.Random(seed)
        connection = HTTPConnection(LOOPBACK, web.port, timeout=30)
        for _ in range(FUZZED // CLIENTS):
            parts = ["".join(draw.choices("abcdefghij0123456789-._~%2", k=draw.randrange(1, 30))) for _ in range(3)]
            start = draw.choice(("/", "/api/v1/", "/admin/", "/api/v1/users/", "/api/v1/items/", "/static/"))
            connection.request(draw.choice(METHODS), start + "/".join(parts[: draw.randrange(1, 4)]))
            connection.getresponse().read()
        connection.close()

    with serving(tmp_path, WEB_CONCURRENCY=str(PROCESSES), WEB_THREADS="4") as web:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda token: tenant_asks(web, token), tokens))
            list(pool.map(lambda seed: fuzz(web, seed), range(CLIENTS)))
        scraped = Scrape(web)

    print(f"{len(scraped.samples)} series, {len(scraped.text) // 1024} KiB")
    assert len(scraped.samples) < MOST_SERIES
    asked = scraped.total("docent_http_request_duration_seconds_count")
    assert asked >= FUZZED // CLIENTS * CLIENTS + TENANTS * len(routes)
    _every_label_is_as_declared(scraped)


def _tokens_of_many_tenants(plan):
    with scope.all_tenants("test: many tenants"):
        tenants = Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"T {n}", plan=plan) for n in range(TENANTS))
        issued = [
            clients.issue(tenant=each, name="all", scopes=["catalog:read", "recommendations:read"]) for each in tenants
        ]
    now = clock.now()
    return [access_tokens.issue(client=each.client, scopes=each.client.scopes, now=now) for each in issued]


def _every_label_is_as_declared(scraped):
    families = declarations.load()
    for name, labels in scraped.samples:
        found = next((families[each] for each in metrics_catalogue.families_in(name)), None)
        if found is None:
            assert name.startswith("django_"), name
            continue
        own = {label: value for label, value in labels if label not in ("le", "pid")}
        assert own.keys() == found.labels.keys()
        assert all(own[label] in values for label, values in found.labels.items()), (name, own)
