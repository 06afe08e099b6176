"""The catalogue as training input: the terms of every item that is not deleted, and neighbours by embeddings."""

import structlog

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.models.content import Catalogue
from recommendations.catalog.models import Item
from recommendations.pipeline.candidates import embedding_neighbours

# In a larger catalogue, only the content of the most recently changed items is used.
MAX_ITEMS = 200_000
_BATCH = 2_000
_log = structlog.get_logger(__name__)


def read_catalogue(*, tenant_id: int) -> Catalogue:
    """The tenant's catalogue, a few hundred bytes of memory per item."""
    item_ids: list[str] = []
    documents: list[list[str]] = []
    with scope.tenant(tenant_id):
        present = Item.objects.filter(tenant_id=tenant_id, deleted_at__isnull=True)
        columns = ("item_id", "title", "description", "categories", "attributes")
        rows = present.order_by("-updated_at", "-pk").values_list(*columns)[:MAX_ITEMS]
        for item_id, title, description, categories, attributes in rows.iterator(chunk_size=_BATCH):
            item_ids.append(item_id)
            documents.append(terms(title=title, description=description, categories=categories, attributes=attributes))
    if len(item_ids) == MAX_ITEMS:
        _log.warning("catalogue_bounded", items=MAX_ITEMS)
    near = embedding_neighbours.stored_neighbours(tenant_id=tenant_id, item_ids=item_ids, now=clock.database_now())
    return Catalogue(tuple(item_ids), documents, {} if near is None else {embedding_neighbours.PART: near})
