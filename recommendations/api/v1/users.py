"""Users: read, create, replace, change, erase, list."""

from functools import partial

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.api.v1.base import READ_CATALOGUE as READ
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.catalog_views import Resource
from recommendations.api.v1.serializers import users as schema
from recommendations.catalog import end_users, schemas, selectors, validators
from recommendations.privacy import erase

_USER_ID = base.path_parameter("user_id")
_USERS = Resource(
    "user_id",
    load=selectors.get_end_user,
    read=schemas.read_end_user,
    read_changes=schemas.END_USER.read_given,
    put=end_users.put_end_user,
    patch=end_users.patch_end_user,
    body=schema.end_user_body,
)


class UserView(ResourceView):
    """One user."""

    scope = base.reading(READ, PUT="catalog:write", PATCH="catalog:write", DELETE="privacy:write")

    @extend_schema(
        operation_id="user_get",
        summary="Get a user",
        tags=["users"],
        parameters=[_USER_ID, base.IF_NONE_MATCH, base.ETAG],
        responses={200: schema.EndUserAnswer, **base.NOT_MODIFIED, **base.READ_PROBLEMS},
        examples=[schema.READ_EXAMPLE],
    )
    def get(self, request: Request, user_id: str) -> Response:
        """The user, with every stored field."""
        return _USERS.get_response(request, user_id)

    @extend_schema(
        operation_id="user_put",
        summary="Create or replace a user",
        tags=["users"],
        parameters=[_USER_ID, base.IF_MATCH, base.CREATE_ONLY, base.ETAG],
        request=schema.OneEndUser,
        responses={200: schema.EndUserAnswer, 201: schema.EndUserAnswer, **base.WRITTEN, **base.PUT_PROBLEMS},
        examples=[schema.WRITE_EXAMPLE, schema.READ_EXAMPLE],
    )
    @base.idempotent_write
    def put(self, request: Request, user_id: str, *, write: Write) -> Response:
        """Creates (201) or replaces (200) the user; omitted fields are cleared. Events stay.

        Tokens without `catalog:read` get no body when they replace a user (204).
        """
        return _USERS.put_response(request, user_id, write)

    @extend_schema(
        operation_id="user_patch",
        summary="Change fields of a user",
        tags=["users"],
        parameters=[_USER_ID, base.IF_MATCH, base.ETAG],
        request=schema.OneEndUser,
        responses={200: schema.EndUserAnswer, **base.WRITTEN, **base.PATCH_PROBLEMS},
        examples=[schema.PATCH_EXAMPLE, schema.READ_EXAMPLE],
    )
    @base.idempotent_write
    def patch(self, request: Request, user_id: str, *, write: Write) -> Response:
        """Replaces the given fields, each as a whole; null clears a field; the others stay.

        Tokens without `catalog:read` get no body (204).
        """
        return _USERS.patch_response(request, user_id, write)

    @extend_schema(
        operation_id="user_erase",
        summary="Erase a user and their history",
        tags=["users"],
        parameters=[_USER_ID, base.IF_MATCH],
        responses={200: schema.ErasureReceipt, **base.DELETE_PROBLEMS},
        examples=[schema.RECEIPT_EXAMPLE],
    )
    @base.idempotent_write
    def delete(self, request: Request, user_id: str, *, write: Write) -> Response:
        """Erases the user with their events, lists and stored responses.

        The receipt does not repeat the id, as it is stored itself under the Idempotency-Key. Ids that look like unset
        variables (`null`, `undefined`) are rejected, unless `If-Match` names the user's ETag.
        """
        # A caller that names the user's version means this user, whatever the id looks like.
        is_deliberate = request.META.get("HTTP_IF_MATCH", "*").strip() != "*"
        tenant_id = caller(request).tenant_id
        user_id = (base.path_id if is_deliberate else base.deliberate_id)("user_id", user_id)
        erase.remove_cached_lists(tenant_id=tenant_id, user_id=user_id)
        with write.effect():
            receipt = erase.erase_end_user(
                tenant_id=tenant_id, user_id=user_id, now=clock.now(), check=base.precondition(request)
            )
            return write.answer(Response(schema.receipt_body(receipt), headers={"Cache-Control": "no-store"}))


class UsersView(ResourceView):
    """The users of the tenant."""

    scope = base.reading(READ)

    @extend_schema(
        operation_id="users_list",
        summary="List users",
        tags=["users"],
        parameters=[
            OpenApiParameter(
                "updated_since", OpenApiTypes.DATETIME, description="Only users changed since then, in order of change."
            ),
            *base.PAGE_PARAMETERS,
        ],
        responses={200: schema.EndUserPage, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Users by id, or by time of change with `updated_since`."""
        query = pagination.known_parameters(request.query_params, "updated_since")
        since = base.query_value(query, "updated_since", validators.moment)
        tenant_id = caller(request).tenant_id
        return _USERS.list_response(
            request,
            load=partial(selectors.list_end_users, tenant_id=tenant_id, updated_since=since),
            pages=Pages.read(query, binding={"list": "users", "tenant": tenant_id, "since": str(since)}),
            by_change=since is not None,
        )
