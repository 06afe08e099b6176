"""Items: read, create, replace, change, delete, list."""

from functools import partial

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.api.v1 import fields as wire
from recommendations.api.v1.base import READ_CATALOGUE as READ
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.catalog_views import Resource
from recommendations.api.v1.serializers import items as schema
from recommendations.catalog import items, schemas, selectors, validators
from recommendations.catalog.selectors import ItemFilter

_ITEM_ID = base.path_parameter("item_id")
_ITEMS = Resource(
    "item_id",
    load=selectors.get_item,
    read=schemas.read_item,
    read_changes=schemas.ITEM.read_given,
    put=items.put_item,
    patch=items.patch_item,
    body=schema.item_body,
)


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
        """The item, even if hidden. Deleted items are not found."""
        return _ITEMS.get_response(request, item_id)

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
        """Creates (201) or replaces (200) the item; omitted fields are cleared.

        Tokens without `catalog:read` get no body when they replace an item (204).
        """
        return _ITEMS.put_response(request, item_id, write)

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
        """Replaces the given fields, each as a whole; null clears a field; the others stay.

        Tokens without `catalog:read` get no body (204).
        """
        return _ITEMS.patch_response(request, item_id, write)

    @extend_schema(
        operation_id="item_delete",
        summary="Delete an item",
        tags=["catalogue"],
        parameters=[_ITEM_ID, base.IF_MATCH],
        responses={
            204: OpenApiResponse(description="Deleted. No response includes it any more."),
            **base.DELETE_PROBLEMS,
        },
    )
    @base.idempotent_write
    def delete(self, request: Request, item_id: str, *, write: Write) -> Response:
        """Deletes the item. Its events stay; a later PUT recreates it."""
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
                "updated_since", OpenApiTypes.DATETIME, description="Only items changed since then, in order of change."
            ),
            *base.PAGE_PARAMETERS,
        ],
        responses={200: schema.ItemPage, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Items by id, or by time of change with `updated_since`; deleted items are omitted."""
        query = pagination.known_parameters(request.query_params, "category", "hidden", "updated_since")
        conditions = ItemFilter(
            category=base.query_value(query, "category", validators.text(schemas.MAX_CATEGORY, empty=False)),
            hidden=base.query_value(query, "hidden", _true_or_false),
            updated_since=base.query_value(query, "updated_since", validators.moment),
        )
        tenant_id = caller(request).tenant_id
        binding = {"list": "items", "tenant": tenant_id, "filter": str(conditions)}
        return _ITEMS.list_response(
            request,
            load=partial(selectors.list_items, tenant_id=tenant_id, conditions=conditions),
            pages=Pages.read(query, binding=binding),
            by_change=conditions.updated_since is not None,
        )


def _true_or_false(value: str, pointer: str) -> bool:
    if value not in ("true", "false"):
        raise validators.refusal(pointer, "not_a_boolean", "Must be true or false.")
    return value == "true"
