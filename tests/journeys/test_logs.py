"""No log of a journey holds a secret or anything about a person: web, workers, beat, PostgreSQL and Valkey are read."""

import base64
import json
import os
import secrets
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError

from accounts.models import User
from accounts.tenancy import scope
from core import clock
from core.webhooks import signatures
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.ai.models import AIRelease
from recommendations.imports.models import Import
from recommendations.models import EndUser
from recommendations.pipeline.builds import lifecycle
from tests.core.web_process import serving
from tests.recommendations.pipeline.generated import fill, reread
from tests.workers.processes import beat, worker

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(400)]
REQUEST_ID = f"journey-{secrets.token_hex(8)}"
API = "/api/v1"
WAIT_SECONDS = 120.0


class Vault:
    """Everything that no log may hold, by what it is; each value is new, so that a find is no accident."""

    def __init__(self):
        self.kept: dict[str, str] = {}

    def new(self, name):
        """A new value."""
        return self.keep(name, f"{name.replace(' ', '')}{secrets.token_hex(8)}")

    def keep(self, name, value):
        """Remembers a value that somebody else has made."""
        self.kept[f"{name} #{len(self.kept)}"] = value
        return value

    def found_in(self, text):
        """The names of the values that stand in the text, as they are or encoded."""
        return sorted(
            name
            for name, value in self.kept.items()
            if value in text or base64.b64encode(value.encode()).decode().rstrip("=") in text
        )


class Journey:
    """A tenant's day: its calls, and what they have used."""

    def __init__(self, web, caller, vault):
        self.web, self.caller, self.vault = web, caller, vault
        vault.keep("client secret", caller.secret)
        vault.keep("access token", caller.token)

    def ask(self, method, path, body=None, *, token=None, content_type="application/json", **headers):
        given = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self.web.ask(
            method,
            path if path.startswith("/") else f"{API}/{path}",
            token=self.caller.token if token is None else token,
            body=given,
            Content_Type=content_type,
            X_Request_ID=REQUEST_ID,
            **headers,
        )

    def token(self, **body):
        own = {"client_id": self.caller.client.client_id, "client_secret": self.caller.secret}
        answer = self.ask("POST", "auth/token", {**own, **body}, token="")
        found = answer.json() if answer.status == 200 else {}
        for name in ("access_token", "refresh_token"):
            if name in found:
                self.vault.keep(name, found[name])
        return answer.status, found

    def tokens(self):
        """Good ones, wrong ones, a replay, one for a browser."""
        assert self.token(grant_type="client_credentials")[0] == 200
        assert self.token(grant_type="client_credentials", client_secret=self.vault.new("wrong secret"))[0] == 401
        grant = self.token(grant_type="client_credentials", scope="catalog:read offline_access")[1]
        uses = [self.token(grant_type="refresh_token", refresh_token=grant["refresh_token"])[0] for _ in range(3)]
        assert uses == [200, 401, 401]
        assert (
            self.ask("POST", "auth/token", b'{"client_secret": "' + self.vault.new("cut body").encode()).status == 400
        )
        assert self.ask("GET", "items", token=self.vault.new("forged token")).status == 401
        basic = base64.b64encode(f"x:{self.vault.new('basic password')}".encode()).decode()
        assert (
            self.web.ask("GET", f"{API}/items", Authorization=f"Basic {self.vault.keep('basic', basic)}").status == 401
        )

    def catalogue(self):
        """Items and users with attributes, valid and not."""
        new = self.vault.new
        item = {"title": "Lamp", "attributes": {"supplier": new("item attribute")}}
        assert self.ask("PUT", "items/lamp", item).status == 201
        self.user = new("user")
        user = {"attributes": {"email": new("email"), "city": new("city")}, "segments": [new("segment")]}
        assert self.ask("PUT", f"users/{self.user}", user).status == 201
        assert self.ask("PATCH", f"users/{self.user}", {"attributes": {"phone": new("phone")}}).status == 200
        for wrong in (
            {"attributes": {"email": {"nested": [[[{"deep": new("nested attribute")}]]]}}},
            {"attributes": {"note": new("nul attribute") + "\x00"}},
            {"locale": new("locale"), "colour": new("unknown field")},
            {"attributes": {"text": new("long attribute") * 3000}},
        ):
            assert self.ask("PUT", f"users/{self.user}", wrong).status < 500
        rows = [{"user_id": new("user"), "attributes": {"email": new("email")}} for _ in range(3)]
        assert (
            self.ask("POST", "users/batch", {"users": [*rows, {"user_id": new("user"), "x": new("value")}]}).status
            < 500
        )
        assert self.ask("GET", f"{new('segment of a path')}/nothing").status == 404
        assert self.ask("GET", f"items?colour={new('query value')}").status == 422

    def events(self):
        """Events, once and twice and with a key that belongs to another."""
        new, key = self.vault.new, self.vault.new("idempotency key")
        event = {"user_id": self.user, "item_id": "lamp", "type": "view", "properties": {"note": new("event property")}}
        first = self.ask("POST", "events", event, Idempotency_Key=key)
        if first.status == 422:  # this API takes no properties; their text must not be logged all the same
            event.pop("properties")
            first = self.ask("POST", "events", event, Idempotency_Key=key)
        assert first.status == 201
        assert self.ask("POST", "events", event, Idempotency_Key=key).status == 201
        assert self.ask("POST", "events", {**event, "item_id": "i0001"}, Idempotency_Key=key).status == 422
        assert self.ask("POST", "events", {**event, "type": new("event type") + " !"}).status < 500
        assert self.ask("POST", "events/batch", {"events": [event, {"user_id": new("user")}]}).status < 500

    def reads(self):
        """Lists, with options that quote people."""
        new = self.vault.new
        for path in (
            f"users/{self.user}/recommendations",
            f"users/{self.user}/recommendations?limit=3",
            f"users/{self.user}/recommendations?filter={new('filter')}",
            f"users/{new('stranger')}/recommendations",
            f"users/{self.user}",
            f"users/{self.user}/export",
            "items/lamp/similar",
        ):
            assert self.ask("GET", path).status < 500, path
        assert self.ask("POST", "recommendations/batch", {"user_ids": [self.user, new("stranger")]}).status == 200

    def imports(self):
        """A file of users, some rows of which are refused."""
        new = self.vault.new
        rows = [f"{new('user')},{new('email')}@example.org,{new('city')}" for _ in range(5)]
        text = "\n".join(["user_id,email,city", *rows, f",{new('email')},{new('city')}", f"{new('user')},\x00,x"])
        answer = self.ask("POST", "imports?kind=users", text.encode(), content_type="text/csv")
        assert answer.status == 202, answer.body
        return int(answer.json()["import_id"])

    def admin(self):
        """An attempt to log in, and one that succeeds."""
        with scope.all_tenants("test: staff"):
            chief = User(username="chief", is_staff=True, is_superuser=True)
            chief.set_password(password := self.vault.new("staff password"))
            chief.save()
        page = self.web.ask("GET", "/admin/login/")
        cookie = page.headers["set-cookie"].partition(";")[0]
        csrf = self.vault.keep("csrf token", cookie.partition("=")[2])
        for tried in (self.vault.new("wrong password"), password):
            form = f"username=chief&password={tried}&csrfmiddlewaretoken={csrf}&next=/admin/".encode()
            answer = self.web.ask(
                "POST", "/admin/login/", body=form, Cookie=cookie, Content_Type="application/x-www-form-urlencoded"
            )
        assert answer.status == 302
        if sent := answer.headers.get("set-cookie", ""):
            self.vault.keep("session cookie", sent.partition(";")[0].partition("=")[2])

    def erase(self):
        """The user asks to be forgotten."""
        assert self.ask("DELETE", f"users/{self.user}").status < 300


@pytest.fixture
def vault():
    """The secrets that were there before the journey."""
    kept = Vault()
    kept.keep("secret key", settings.SECRET_KEY)
    kept.keep("signing key", settings.JWT_PRIVATE_KEY.split()[5])
    kept.keep("encryption key", settings.KEY_ENCRYPTION_KEYS[0])
    for url in (settings.DATABASE_URL, settings.DATABASE_OWNER_URL, settings.REDIS_URL):
        kept.keep("password of a server", url.partition("@")[0].rpartition(":")[2])
    return kept


def travel(journey, tenant, tasks, vault, openai_simulator):
    """The whole journey, until everything that it started has ended; returns its build."""
    journey.tokens()
    journey.catalogue()
    _listen(tenant, vault)
    journey.events()
    imported = journey.imports()
    journey.admin()
    openai_simulator.fault("garbage", count=2)
    build = lifecycle.start(tenant_id=tenant.pk, reason="journey", now=clock.now(), ai=True)
    _wait_for(lambda: reread(build).status in ("published", "failed"), tasks)
    _wait_for(lambda: _ended(tenant, imported), tasks)
    _wait_for(lambda: _tried(tenant), tasks)
    journey.reads()
    journey.erase()
    _break_a_constraint(tenant, vault)
    return build


def test_no_secret_and_no_personal_value_is_in_any_log(committed_db, cast, tmp_path, openai_simulator, vault):
    acme, token = cast.acme.tenant, vault.new("metrics token")
    shared = {
        "DJANGO_SETTINGS_MODULE": "tests.journeys.settings_with_logs",
        "METRICS_TOKEN": token,
        "STORAGE_DIR": settings.STORAGE_DIR,
    }
    own = {"OPENAI_API_KEY": vault.new("sk-provider-key"), "OPENAI_BASE_URL": openai_simulator.base_url}
    fill(acme, people=24, items=30)
    with scope.tenant(acme.pk):
        AIRelease.objects.update_or_create(tenant=acme, defaults={"enabled": True, "person_attributes": ["city"]})
    logs = server_logs()
    before = {path: path.stat().st_size for path in logs}

    with (
        serving(tmp_path, WEB_CONCURRENCY="1", LOG_READ_SAMPLE="1", METRICS_PUBLIC="0", **shared) as web,
        worker(**shared, **own) as tasks,
        beat(**shared) as scheduler,
    ):
        build = travel(Journey(web, cast.acme.admin, vault), acme, tasks, vault, openai_simulator)
        assert web.ask("GET", "/metrics", token=token).status == 200
        written = {"web": (tmp_path / "web.log").read_text(), "worker": tasks.output, "beat": scheduler.output}
        for path in logs:
            with path.open("rb") as file:
                file.seek(before[path])
                written[path.name] = file.read().decode(errors="replace")

    # First that the logs are those of the journey: each has a line that had to come.
    assert reread(build).status == "published"
    assert f'"request_id": "{REQUEST_ID}"' in written["web"]
    assert f'"request_id": "{REQUEST_ID}"' in written["worker"], "the id goes with the tasks of a request"
    assert "ai_call_failed" in written["worker"]
    assert any(each["id"] for each in openai_simulator.state()["seen"])
    if "postgres.log" in written:
        assert "duplicate key value violates unique constraint" in written["postgres.log"]
    assert {name: found for name, text in written.items() if (found := vault.found_in(text))} == {}
    print(f"{len(vault.kept)} values in none of {sum(map(len, written.values())) // 1024} KiB of logs")


def server_logs():
    """The logs of PostgreSQL and Valkey, where they are those of the project's own servers."""
    folder = Path(os.environ.get("VAR_DIR") or settings.VAR_DIR) / "log"
    return [path for path in (folder / "postgres.log", folder / "valkey.log") if path.exists()]


def _listen(tenant, vault):
    """A webhook whose receiver is not there."""
    with scope.tenant(tenant.pk):
        endpoint = WebhookEndpoint(
            tenant_id=tenant.pk,
            url=f"http://127.0.0.1:9/{vault.new('webhook path')}",
            events=["build.published", "import.done"],
        )
        vault.keep("webhook secret", signatures.issue_secret(endpoint))
        endpoint.save()


def _break_a_constraint(tenant, vault):
    """PostgreSQL reports a row twice; the detail of its message would hold the user's id."""
    with scope.tenant(tenant.pk):
        user = EndUser.objects.create(tenant=tenant, user_id=vault.new("user"))
    with pytest.raises(IntegrityError), scope.tenant(tenant.pk):
        EndUser.objects.create(tenant=tenant, user_id=user.user_id, attributes={"email": vault.new("email")})


def _ended(tenant, number):
    with scope.tenant(tenant.pk):
        return Import.objects.get(pk=number).status in ("done", "failed")


def _tried(tenant):
    with scope.tenant(tenant.pk):
        return WebhookDelivery.objects.filter(attempts__gte=1).exists()


def _wait_for(condition, process):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, process.output[-5000:]
        time.sleep(0.2)
