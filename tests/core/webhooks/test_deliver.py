"""Messages from the fact to the receiver."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection, transaction
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.tenancy import scope
from core import clock
from core.webhooks import deliver, http, signatures
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.publish import emit
from tests.core.webhooks.receiver import dripping, receiver, saying

NOW = clock.now()


@pytest.fixture
def hook():
    with receiver() as found:
        yield found


@pytest.fixture
def endpoint(cast, hook):
    row = WebhookEndpoint(tenant_id=cast.acme.tenant.pk, url=hook.url, events=["build.published"])
    secret = signatures.issue_secret(row)
    with scope.tenant(cast.acme.tenant.pk):
        row.save()
    return SimpleNamespace(row=row, shown=secret)


def told(tenant, kind="build.published", now=NOW):
    with scope.tenant(tenant.pk):
        emit(tenant_id=tenant.pk, type=kind, data={"build": 7}, now=now)
        return WebhookDelivery.objects.first()


def attempt(tenant, delivery, now=NOW):
    done = deliver.deliver(scope=partial(scope.tenant, tenant.pk), delivery_id=delivery.pk, now=now)
    with scope.tenant(tenant.pk):
        delivery.refresh_from_db()
    return done


def verified(headers, body, secret):
    """As a receiver would, with nothing of ours."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


class TestDeliver:
    def test_sends_a_signed_message_once(self, cast, endpoint, hook):
        delivery = told(cast.acme.tenant)

        assert attempt(cast.acme.tenant, delivery)
        assert not attempt(cast.acme.tenant, delivery)

        ((headers, body),) = hook.received
        said = json.loads(body)
        assert (said["type"], said["data"]) == ("build.published", {"build": 7})
        assert verified(headers, body, endpoint.shown)
        assert headers["webhook-id"] == delivery.message_id
        assert abs(int(headers["webhook-timestamp"]) - NOW.timestamp()) < 2
        assert delivery.state == "delivered"
        assert [line["status"] for line in delivery.log] == [204]

    def test_is_verified_by_the_specifications_own_library(self, cast, endpoint, hook):
        now = clock.now()
        attempt(cast.acme.tenant, told(cast.acme.tenant, now=now), now=now)
        ((headers, body),) = hook.received
        verify = Webhook(endpoint.shown).verify

        said = verify(body, headers)

        assert set(said) >= {"type", "timestamp", "data"}
        assert datetime.fromisoformat(said["timestamp"]).utcoffset() == timedelta(0)
        assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= set(headers)
        assert headers["content-type"] == "application/json"
        for spoilt in (
            lambda: verify(body + b" ", headers),
            lambda: verify(body, {**headers, "webhook-id": "msg_other"}),
            lambda: verify(body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
            lambda: Webhook(signatures.new_secret()).verify(body, headers),
        ):
            with pytest.raises(WebhookVerificationError):
                spoilt()
        with time_machine.travel(now + timedelta(minutes=6)), pytest.raises(WebhookVerificationError):
            verify(body, headers)

    def test_signs_with_both_secrets_for_a_day_after_a_rotation(self, cast, endpoint, hook):
        with scope.tenant(cast.acme.tenant.pk):
            new = signatures.rotate_secret(endpoint.row, now=NOW)
        attempt(cast.acme.tenant, told(cast.acme.tenant))
        later = NOW + timedelta(hours=25)
        attempt(cast.acme.tenant, told(cast.acme.tenant, now=later), now=later)

        (headers, body), (headers_later, body_later) = hook.received
        assert verified(headers, body, new)
        assert verified(headers, body, endpoint.shown)
        assert verified(headers_later, body_later, new)
        assert not verified(headers_later, body_later, endpoint.shown)

    def test_tries_again_with_growing_pauses_and_the_same_bytes_and_id(self, cast, endpoint, hook):
        hook.statuses = [500, 503, 200]
        delivery = told(cast.acme.tenant)
        attempt(cast.acme.tenant, delivery)
        assert delivery.due_at == NOW + timedelta(seconds=5)
        assert not attempt(cast.acme.tenant, delivery, now=NOW + timedelta(seconds=4))
        attempt(cast.acme.tenant, delivery, now=NOW + timedelta(seconds=5))
        assert delivery.due_at == NOW + timedelta(seconds=305)
        attempt(cast.acme.tenant, delivery, now=NOW + timedelta(hours=1))

        assert delivery.state == "delivered"
        assert [line["status"] for line in delivery.log] == [500, 503, 200]
        assert len({(headers["webhook-id"], body) for headers, body in hook.received}) == 1
        assert len({headers["webhook-timestamp"] for headers, _ in hook.received}) == 3

    def test_gives_up_at_the_end_of_the_pauses(self, cast, endpoint, hook):
        hook.statuses, now = [500], NOW
        delivery = told(cast.acme.tenant)
        while delivery.state == "pending":
            assert attempt(cast.acme.tenant, delivery, now=now)
            now = delivery.due_at or now

        assert (delivery.state, len(hook.received)) == ("failed", len(deliver.PAUSES) + 1)

    def test_follows_no_redirect(self, cast, endpoint, hook):
        hook.statuses, hook.headers = [307], {"Location": hook.url}
        delivery = told(cast.acme.tenant)
        attempt(cast.acme.tenant, delivery)

        assert len(hook.received) == 1
        assert delivery.state == "pending"
        assert delivery.log[0]["error"] == "redirects are not followed"

    def test_switches_an_address_off_that_is_gone(self, cast, endpoint, hook):
        hook.statuses = [410]
        attempt(cast.acme.tenant, told(cast.acme.tenant))

        assert told(cast.acme.tenant).state == "failed"  # no second one was written
        with scope.tenant(cast.acme.tenant.pk):
            endpoint.row.refresh_from_db()
        assert (endpoint.row.active, endpoint.row.stopped) == (False, "It answered 410 Gone.")

    def test_is_over_in_time_when_the_receiver_drips(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.5
        with dripping() as url:
            outcome = http.post(url, body=b"{}", headers={})

        assert not outcome.delivered
        assert outcome.milliseconds < 5_000

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (b"this is no HTTP\r\n\r\n", "BadStatusLine"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "LineTooLong"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n", "HTTPException"),
            (b"HTTP/1.1 abc \x00\x01\r\n\r\n", "BadStatusLine"),
            (b"", "RemoteDisconnected"),
        ],
        ids=["garbage", "long_header", "many_headers", "nul", "nothing"],
    )
    def test_an_answer_that_is_no_http_is_an_outcome_like_any_other(self, cast, endpoint, answer, says):
        with saying(answer) as url:
            with scope.tenant(cast.acme.tenant.pk):
                WebhookEndpoint.objects.update(url=url)
            delivery = told(cast.acme.tenant)

            assert attempt(cast.acme.tenant, delivery)

        assert says in delivery.log[0]["error"]
        assert delivery.due_at == NOW + deliver.PAUSES[0]

    def test_attempts_that_nobody_noted_come_to_an_end(self, cast, endpoint, hook, monkeypatch):
        delivery = told(cast.acme.tenant)

        def die(*_arguments, **_options):
            raise SystemExit

        monkeypatch.setattr(http, "post", die)
        now = NOW
        for _ in range(len(deliver.PAUSES) + 1):
            with pytest.raises(SystemExit):
                attempt(cast.acme.tenant, delivery, now)
            now += deliver.LEASE
        attempt(cast.acme.tenant, delivery, now)

        assert (delivery.state, delivery.due_at) == (WebhookDelivery.State.FAILED, None)
        assert "given up" in delivery.log[-1]["error"]

    def test_tells_of_a_receiver_that_is_not_there(self, cast, endpoint):
        with receiver() as gone:
            pass
        with scope.tenant(cast.acme.tenant.pk):
            WebhookEndpoint.objects.update(url=gone.url)
        delivery = told(cast.acme.tenant)
        attempt(cast.acme.tenant, delivery)

        assert delivery.log[0]["status"] is None
        assert "refused" in delivery.log[0]["error"].lower()

    def test_tells_when_the_secret_cannot_be_read(self, cast, endpoint, hook, settings):
        settings.SECRET_KEY = "another" * 10
        delivery = told(cast.acme.tenant)
        attempt(cast.acme.tenant, delivery)

        assert hook.received == []
        assert "SECRET_KEY has changed" in delivery.log[0]["error"]

    def test_gives_up_what_a_dead_process_had_only_until_its_lease_ends(self, cast, endpoint, hook, monkeypatch):
        delivery = told(cast.acme.tenant)
        with monkeypatch.context() as patch:
            patch.setattr(deliver, "_attempt", lambda claim, now: (_ for _ in ()).throw(SystemExit))
            with pytest.raises(SystemExit):
                attempt(cast.acme.tenant, delivery)
        assert not attempt(cast.acme.tenant, delivery, now=NOW + timedelta(seconds=119))

        assert attempt(cast.acme.tenant, delivery, now=NOW + timedelta(seconds=121))
        assert len(hook.received) == 1


class TestEmit:
    def test_is_gone_with_the_fact(self, cast, endpoint):
        with scope.tenant(cast.acme.tenant.pk):
            with transaction.atomic():
                emit(tenant_id=cast.acme.tenant.pk, type="build.published", data={}, now=NOW)
                transaction.set_rollback(True)
            assert WebhookDelivery.objects.count() == 0

    def test_reaches_only_who_listens(self, cast, endpoint):
        assert told(cast.acme.tenant, kind="quota.warning") is None
        assert told(cast.globex.tenant) is None
        with scope.tenant(cast.acme.tenant.pk):
            WebhookEndpoint.objects.update(active=False)
        assert told(cast.acme.tenant) is None

    def test_knows_its_types(self, cast):
        with scope.tenant(cast.acme.tenant.pk), pytest.raises(ValueError, match="WEBHOOK_EVENTS"):
            emit(tenant_id=cast.acme.tenant.pk, type="nonsense", data={}, now=NOW)

    def test_is_seen_by_no_other_tenant(self, cast, endpoint):
        told(cast.acme.tenant)

        with scope.tenant(cast.globex.tenant.pk):
            assert WebhookEndpoint.objects.count() == WebhookDelivery.objects.count() == 0


def test_the_sweep_hands_over_what_is_due_and_lets_old_messages_go(cast, endpoint, hook):
    everyone = partial(scope.all_tenants, "test")
    delivery = told(cast.acme.tenant)

    assert deliver.sweep(scope=everyone, now=NOW) == 1
    attempt(cast.acme.tenant, delivery)
    assert deliver.sweep(scope=everyone, now=NOW + timedelta(days=1)) == 0
    deliver.sweep(scope=everyone, now=NOW + timedelta(days=31))
    with scope.tenant(cast.acme.tenant.pk):
        assert WebhookDelivery.objects.count() == 0


def test_eight_workers_send_a_message_once(committed_db, cast, endpoint, hook):
    delivery = told(cast.acme.tenant)
    started, won = threading.Barrier(8), []

    def work():
        started.wait()
        if deliver.deliver(scope=partial(scope.tenant, cast.acme.tenant.pk), delivery_id=delivery.pk, now=NOW):
            won.append(1)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(hook.received)) == (1, 1)


def test_a_secret_is_no_part_of_a_message():
    headers = signatures.signed_headers(
        message_id="m", sent_at=datetime.fromtimestamp(1, UTC), body="{}", with_secrets=[signatures.new_secret()]
    )
    assert signatures.PREFIX not in str(headers)
