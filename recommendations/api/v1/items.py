"""Items: one by its id, and their list."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import etags, locations, pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.api.v1 import fields as wire
from recommendations.api.v1.base import READ_CATALOGUE as READ
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import items as schema
from recommendations.catalog import items, schemas, selectors, validators
from recommendations.catalog.models import Item
from recommendations.catalog.selectors import ItemFilter
from recommendations.catalog.upsert import Version
from recommendations.catalog.validators import FieldRefused

_ITEM_ID = base.path_parameter("item_id")


class ItemView(ResourceView):
    """One item."""

    scope = base.reading(READ, PUT="catalog:write", PATCH="catalog:write", DELETE="catalog:write")

    @extend_schema(
        operation_id="item_get",
        summary="Get an item",
        tags=["catalogue"],
        parameters=[_ITEM_ID, base.IF_NONE_MATCH, base.ETAG],
        responses={200: schema.ItemAnswer, **base.NOT_MODIFIED, **base.READ_PROBLEMS},
        examples=[schema.READ_EXAMPLE],
    )
    def get(self, request: Request, item_id: str) -> Response:
        """The item, also a hidden one; a deleted one is not found."""
        item = selectors.get_item(tenant_id=caller(request).tenant_id, item_id=base.path_id("item_id", item_id))
        return etags.answer(request, tag=_tag(item), body=lambda: schema.item_body(item))

    @extend_schema(
        operation_id="item_put",
        summary="Create or replace an item",
        tags=["catalogue"],
        parameters=[_ITEM_ID, base.IF_MATCH, base.CREATE_ONLY, base.ETAG],
        request=schema.OneItem,
        responses={200: schema.ItemAnswer, 201: schema.ItemAnswer, **base.WRITTEN, **base.PUT_PROBLEMS},
        examples=[schema.WRITE_EXAMPLE, schema.READ_EXAMPLE],
    )
    @base.idempotent_write
    def put(self, request: Request, item_id: str, *, write: Write) -> Response:
        """Creates (201) or replaces (200) the item: fields that are left out are emptied.

        A token without `catalog:read` is not shown what it replaced (204).
        """
        try:
            row = schemas.read_item(base.named_body(request, "item_id", item_id))
        except FieldRefused as refused:
            base.refuse(refused)
        with write.effect():
            item, created = items.put_item(
                tenant_id=caller(request).tenant_id,
                item=row,
                now=clock.now(),
                check=base.precondition(request),
            )
            if created:
                headers = {"ETag": _tag(item), "Location": locations.path_of(request)}
                return write.answer(Response(schema.item_body(item), status=201, headers=headers))
            return base.written(request, write, body=schema.item_body(item), tag=_tag(item))

    @extend_schema(
        operation_id="item_patch",
        summary="Change fields of an item",
        tags=["catalogue"],
        parameters=[_ITEM_ID, base.IF_MATCH, base.ETAG],
        request=schema.OneItem,
        responses={200: schema.ItemAnswer, **base.WRITTEN, **base.PATCH_PROBLEMS},
        examples=[schema.PATCH_EXAMPLE, schema.READ_EXAMPLE],
    )
    @base.idempotent_write
    def patch(self, request: Request, item_id: str, *, write: Write) -> Response:
        """Replaces the given fields, each as a whole; null empties one; the others stay.

        A token without `catalog:read` is not shown them (204).
        """
        try:
            changes = schemas.ITEM.read_given(base.named_body(request, "item_id", item_id))
            with write.effect():
                item = items.patch_item(
                    tenant_id=caller(request).tenant_id,
                    item_id=item_id,
                    changes=changes,
                    now=clock.now(),
                    check=base.precondition(request),
                )
                return base.written(request, write, body=schema.item_body(item), tag=_tag(item))
        except FieldRefused as refused:
            base.refuse(refused)

    @extend_schema(
        operation_id="item_delete",
        summary="Delete an item",
        tags=["catalogue"],
        parameters=[_ITEM_ID, base.IF_MATCH],
        responses={
            204: OpenApiResponse(description="Deleted; from now on it is in no answer."),
            **base.DELETE_PROBLEMS,
        },
    )
    @base.idempotent_write
    def delete(self, request: Request, item_id: str, *, write: Write) -> Response:
        """Deletes the item. Events that name it stay; a later PUT creates it anew."""
        item_id = base.path_id("item_id", item_id)
        with write.effect():
            items.delete_item(
                tenant_id=caller(request).tenant_id,
                item_id=item_id,
                now=clock.now(),
                check=base.precondition(request),
            )
            return write.answer(Response(status=204))


class ItemsView(ResourceView):
    """The catalogue."""

    scope = base.reading(READ)

    @extend_schema(
        operation_id="items_list",
        summary="List items",
        tags=["catalogue"],
        parameters=[
            OpenApiParameter("category", wire.CATEGORY),
            OpenApiParameter("hidden", OpenApiTypes.BOOL),
            OpenApiParameter(
                "updated_since", OpenApiTypes.DATETIME, description="Changed then or later, in the order of change."
            ),
            *base.PAGE_PARAMETERS,
        ],
        responses={200: schema.ItemPage, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Items by id, or in the order of their change with `updated_since`; deleted ones are left out."""
        query = pagination.known_parameters(request.query_params, "category", "hidden", "updated_since")
        wanted = ItemFilter(
            category=base.query_value(query, "category", validators.text(schemas.MAX_CATEGORY, empty=False)),
            hidden=base.query_value(query, "hidden", _true_or_false),
            updated_since=base.query_value(query, "updated_since", validators.moment),
        )
        tenant_id = caller(request).tenant_id
        binding = {"list": "items", "tenant": tenant_id, "filter": str(wanted)}
        pages = Pages.read(query, binding=binding)
        found = selectors.list_items(tenant_id=tenant_id, wanted=wanted, after=pages.after, limit=pages.limit + 1)
        rows, by_change = found[: pages.limit], wanted.updated_since is not None
        cursor = pages.cursor(selectors.position(rows[-1], by_change=by_change) if len(found) > len(rows) else None)
        return etags.answer(
            request,
            tag=etags.etag([*((row.pk, row.updated_at) for row in rows), cursor]),
            body=lambda: {"data": [schema.item_body(row) for row in rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )


def _tag(item: Item) -> str:
    return str(base.tag(Version(item.pk, item.updated_at)))


def _true_or_false(value: str, pointer: str) -> bool:
    if value not in ("true", "false"):
        raise validators.refuse(pointer, "not_a_boolean", "Must be true or false.")
    return value == "true"
