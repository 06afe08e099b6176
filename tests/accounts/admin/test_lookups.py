"""A list answers only about what it shows: an address's query is no way to ask for hidden columns."""

import pytest
from django.contrib import admin

from accounts.admin.lookups import ShownLookups
from accounts.models import ApiClient, RefreshToken, SigningKey, Tenant, User
from core.webhooks.models import WebhookEndpoint
from tests.accounts.admin.people import page, staff

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def viewer(cast):
    return staff("viewer", "*")[1]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_is_restricted_so(model, rf):
    page_of = admin.site._registry[model]
    assert isinstance(page_of, ShownLookups)
    request = rf.get("/")
    request.user = User(is_superuser=True)
    shown = page_of._shown(request)
    for field in model._meta.concrete_fields:
        if field.name not in shown and not field.primary_key:
            for lookup in (field.name, field.attname, f"{field.name}__startswith", f"{field.name}__isnull"):
                assert not page_of.lookup_allowed(lookup, "a", request), lookup


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (SigningKey, "private_sealed__startswith=g"),
        (ApiClient, "secret_hash__startswith=0"),
        (ApiClient, "previous_secret_hash__gte=0"),
        (ApiClient, "tenant__clients__secret_hash__startswith=0"),
        (WebhookEndpoint, "secret__startswith=g"),
        (RefreshToken, "digest__startswith=g"),
        (User, "password__startswith=pbkdf2"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_hidden_columns_are_not_asked(viewer, model, query):
    asked = query if model is not RefreshToken else f"{_digest_name()}__startswith=g"

    assert viewer.get(page(model, "changelist") + f"?{asked}").status_code == 400


@pytest.mark.parametrize("query", ["active__exact=1", "tenant__id__exact=1", "name__startswith=r", "plan=1"])
def test_shown_ones_are(viewer, cast, query):
    model = Tenant if query == "plan=1" else ApiClient

    assert viewer.get(page(model, "changelist") + f"?{query}").status_code == 200


def _digest_name():
    names = [field.name for field in RefreshToken._meta.concrete_fields]
    return next(name for name in names if "hash" in name or "digest" in name)
