"""Items that nobody has chosen yet have similar ones, by what their texts say."""

import pytest

from accounts.tenancy import scope
from recommendations.ai.models import AICall, AIRelease
from recommendations.models import Artefact, Item, ReferenceList
from recommendations.pipeline.candidates import embedding_neighbours
from tests.recommendations.pipeline.generated import build_now, fill, stored


@pytest.fixture
def acme(committed_db, cast, settings, simulated_ai):
    """Eight people, thirty items, and three that are new."""
    settings.AI_EMBEDDING_MODEL = "text-embedding-3-small"
    settings.AI_EMBEDDING_DIMENSIONS = 128
    tenant = cast.acme.tenant
    fill(tenant, people=8, items=30)
    with scope.tenant(tenant.pk):
        for number, title in enumerate(["red garden chair", "blue garden chair", "wireless speaker"]):
            Item.objects.create(tenant=tenant, item_id=f"new{number}", title=title, categories=["home"])
    embedding_neighbours.embedder.cache_clear()
    yield tenant
    embedding_neighbours.embedder().close()
    embedding_neighbours.embedder.cache_clear()


def similar(tenant, build):
    with scope.tenant(tenant.pk):
        rows = ReferenceList.objects.filter(build=build, kind="similar", subject__startswith="new")
        return {row.subject: stored(row) for row in rows}


def test_new_items_have_neighbours_with_a_reason_and_are_paid_for_once(acme, simulated_ai):
    found = similar(acme, build_now(acme, ai=True))

    assert set(found) == {"new0", "new1", "new2"}
    first = found["new0"].entries()[0]
    assert (first["item_id"], first["reason"]) == ("new1", "Similar to red garden chair")
    assert first["evidence"] == [{"item_id": "new0"}]
    assert "semantic" in found["new0"].parts

    asked = simulated_ai.calls("embeddings")

    again = build_now(acme, ai=True)

    assert simulated_ai.calls("embeddings") == asked >= 1
    # The training of the second build has what the first one paid for.
    with scope.tenant(acme.pk):
        trained = Artefact.objects.order_by("pk").values_list("chosen", flat=True)
        parts = [{name.partition("/")[0] for name in chosen["weights"]} for chosen in trained]
    assert ["semantic" in each for each in parts] == [False, True]
    assert all("text" in each for each in parts)
    assert "semantic" in similar(acme, again)["new0"].parts
    with scope.tenant(acme.pk):
        assert AICall.objects.filter(purpose="embed").count() == asked


@pytest.mark.slow
def test_without_the_vendor_a_build_is_whole_all_the_same(acme, simulated_ai):
    simulated_ai.fault("bad_request", endpoint="embeddings")

    build = build_now(acme, ai=True)

    assert build.status == "published"
    assert all(set(each.parts) == {"text"} for each in similar(acme, build).values())


@pytest.mark.slow
def test_nothing_is_asked_for_a_tenant_that_switched_ai_off(acme, simulated_ai):
    with scope.tenant(acme.pk):
        AIRelease.objects.create(tenant=acme, enabled=False)

    build_now(acme, ai=True)

    assert simulated_ai.calls("embeddings") == 0
