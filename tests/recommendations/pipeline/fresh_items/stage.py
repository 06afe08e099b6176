"""Items put and taken in as tests do it, and the lists that have them."""

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys, list_codec
from recommendations.catalog import items, schemas
from recommendations.models import FreshItem
from recommendations.pipeline.fresh_items import run
from tests.recommendations.pipeline.generated import lists_of, stored


def put(tenant, item_id, kind=0, **more):
    """As the API puts it."""
    body = {"title": f"Title {item_id}", "categories": [f"kind {kind}"], **more}
    item = schemas.read_item(body | {"item_id": item_id})
    items.put_item(tenant_id=tenant.pk, item=item, now=clock.now())


def take_in(tenant):
    return run.process_fresh_items(tenant_id=tenant.pk, now=clock.now())


def similar_of(tenant, item_id):
    raw = redis.client().get(keys.reference_list(tenant.pk, "similar", item_id))
    return [] if raw is None else [entry["item_id"] for entry in list_codec.decode(raw).entries()]


def ids(row):
    return [entry["item_id"] for entry in stored(row).entries()]


def who_has(tenant, build, item_id):
    return {name for name, row in lists_of(tenant, build).items() if item_id in ids(row)}


def fresh_rows(tenant, **of):
    with scope.tenant(tenant.pk):
        return {row.item_id: row for row in FreshItem.objects.filter(tenant=tenant, **of)}
