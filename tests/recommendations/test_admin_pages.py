"""The admin over a tenant that has lived: every page opens, and no list costs a query for each row."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from accounts.tokens import clients
from core import clock
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.models import (
    AICall,
    AISent,
    Experiment,
    ExperimentArm,
    Placement,
)
from recommendations.placements import versions
from tests.recommendations.pipeline.generated import build_now, fill

pytestmark = pytest.mark.slow  # a build, and each page of the admin several times
# Rows of a list when its queries are counted first and last.
FEW, MANY = 2, 6


@pytest.fixture
def root(committed_db, cast):
    """Somebody who sees everything of a tenant with a build, versions, calls, imports and experiments."""
    tenant, now = cast.acme.tenant, clock.now()
    fill(tenant, people=MANY, items=20, events_each=6)
    build_now(tenant)
    for number in range(MANY):
        with scope.tenant(tenant.pk):
            clients.issue(tenant=tenant, name=f"client {number}", scopes=["catalog:read"])
            Placement.objects.create(tenant=tenant, name=f"shelf-{number}")
        versions.create_draft(tenant_id=tenant.pk, placement=f"shelf-{number}", rules={"hide": ["x"]}, now=now)
        imported(cast.acme, number)
    with scope.tenant(tenant.pk):
        resolve_event_types(tenant_id=tenant.pk, names=[f"type-{number}" for number in range(MANY)])
        happened(tenant, now)
    with scope.tenant(tenant.pk):
        hooked(tenant, now)
    User.objects.create_superuser("root", "root@example.org", "x")
    browser = Client()
    assert browser.login(username="root", password="x")
    return browser


def imported(member, number):
    answer = member.http.post(
        f"/api/v1/imports?kind=items&filename={number}.csv", b"item_id\na\n", content_type="text/csv"
    )
    assert answer.status_code == 202, answer.content


def happened(tenant, now):
    """Creates the rows that a live service leaves, one or more for each list page."""
    placement = Placement.objects.order_by("pk")[0]
    people = list(tenant_people(tenant))
    for number, person in enumerate(people):
        experiment = Experiment.objects.create(tenant=tenant, placement=placement, name=f"experiment {number}")
        for letter in "ab":
            ExperimentArm.objects.create(tenant=tenant, experiment=experiment, letter=letter, percent=50)
        AICall.objects.create(
            tenant=tenant, day=now.date(), at=now, purpose="rerank", model="m", prompt_version="1", outcome="ok",
            input_tokens=1, output_tokens=1, cost_nano_usd=1, latency_ms=1, simulated=False, usage_reported=True,
        )  # fmt: skip
        AISent.objects.create(
            tenant=tenant, at=now - timedelta(minutes=number), origin="o", model="m", purpose="rerank", subject="s",
            digest=f"{number}", size_bytes=1, contents={},
        )  # fmt: skip
        assert person


def hooked(tenant, now):
    """Webhooks, with a message each."""
    for number in range(MANY):
        endpoint = WebhookEndpoint.objects.create(
            tenant_id=tenant.pk, url=f"https://hooks.example.org/{number}", events=["build.published"], secret="x"
        )
        WebhookDelivery.objects.create(
            tenant_id=tenant.pk,
            endpoint=endpoint,
            message_id=f"m{number}",
            type="webhook.test",
            body="{}",
            created_at=now,
        )


def tenant_people(tenant):
    from recommendations.models import EndUser

    return EndUser.objects.filter(tenant=tenant).order_by("pk")


def address(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def queries(browser, url):
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    return [each["sql"] for each in captured]


def test_no_list_costs_a_query_for_each_row_and_each_row_opens(root, monkeypatch):
    counted, growing = {}, {}
    for model, page in admin.site._registry.items():
        with scope.all_tenants("test"):
            rows = list(model._default_manager.order_by("pk").values_list("pk", flat=True)[:MANY])
        if len(rows) < MANY:
            continue
        costs = []
        for length in (FEW, MANY):
            monkeypatch.setattr(page, "list_per_page", length)
            root.get(address(model, "changelist"))  # content types and the like are remembered
            costs.append(queries(root, address(model, "changelist")))
        counted[model.__name__] = len(costs[1])
        if len(costs[0]) != len(costs[1]):
            growing[model.__name__] = [sql for sql in costs[1] if sql not in costs[0]]
        for pk in rows[:2]:
            opened = queries(root, address(model, "change", pk))
            assert len(opened) <= 40, (model, opened)
            assert root.get(address(model, "history", pk)).status_code == 200

    assert growing == {}
    assert {"Item", "EndUser", "Interaction", "UserList", "ReferenceList", "RelatedPeople", "Import"} <= set(counted)
    assert {"WebhookEndpoint", "WebhookDelivery"} <= set(counted)
    assert {"Placement", "PlacementVersion", "Experiment", "EventType", "ApiClient", "AICall", "AISent"} <= set(counted)
    assert max(counted.values()) <= 20, counted
