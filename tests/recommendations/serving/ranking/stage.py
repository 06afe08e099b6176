"""A tenant whose artefact serves, without any lists: trained once for each test process, as it depends on nothing."""

import io
from functools import lru_cache

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.interactions.training_window import read_window
from recommendations.models import Artefact, Build, Placement
from recommendations.pipeline.artefacts import store
from tests.recommendations.pipeline.generated import fill

PEOPLE, COLD, ITEMS = 40, 3, 60
ITEM_IDS = [f"i{number:04d}" for number in range(ITEMS)]
URL = "/api/v1/users/{}/rank"


def set_up(tenant):
    """People, items, and a build with an artefact that is active at home."""
    fill(tenant, people=PEOPLE, items=ITEMS, cold=COLD)
    name = default_storage.save(f"{store.folder(tenant.pk)}/ranking.npz", ContentFile(_trained(tenant.pk)))
    now = clock.now()
    with scope.tenant(tenant.pk):
        made = Artefact.objects.create(
            tenant=tenant, file=name, items=ITEMS, people=PEOPLE, interactions=1, size_bytes=1, train_seconds=1.0
        )
        place, _ = Placement.objects.get_or_create(tenant=tenant, name="home")
        build = Build.objects.create(
            tenant=tenant, status="published", reason="test", cutoff=now, artefact=made, versions={str(place.pk): None}
        )
        place.active_build = build
        place.save(update_fields=["active_build"])
    return build


def ask(http, user_id="u0000", item_ids=ITEM_IDS, **more):
    """The answer to a request that is to be served."""
    response = http.post(URL.format(user_id), {"item_ids": list(item_ids), **more}, format="json")
    assert response.status_code == 200, response.content
    return response.json()


def ids(answer):
    """The ranked items' ids, best first."""
    assert [item["rank"] for item in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    return [item["item_id"] for item in answer["items"]]


def left_out(answer):
    """Why the others are not ranked, by id."""
    return {each["item_id"]: each["code"] for each in answer["left_out"]}


@lru_cache(maxsize=1)
def _bytes():
    return []


def _trained(tenant_id):
    if not _bytes():
        file = io.BytesIO()
        train(read_window(tenant_id=tenant_id).interactions(), TrainingOptions(threads=1)).save(file)
        _bytes().append(file.getvalue())
    return _bytes()[0]
