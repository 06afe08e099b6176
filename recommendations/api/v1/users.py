"""End users: one by their id, and their list."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import etags, locations, pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.api.v1.base import READ_CATALOGUE as READ
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import users as schema
from recommendations.catalog import end_users, schemas, selectors, validators
from recommendations.catalog.models import EndUser
from recommendations.catalog.validators import FieldRefused
from recommendations.privacy import erase

_USER_ID = base.path_parameter("user_id")


class UserView(ResourceView):
    """One end user."""

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
        """The end user."""
        end_user = selectors.get_end_user(tenant_id=caller(request).tenant_id, user_id=base.path_id("user_id", user_id))
        return etags.answer(request, tag=_tag(end_user), body=lambda: schema.end_user_body(end_user))

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
        """Creates (201) or replaces (200) the end user: fields that are left out are emptied. Events stay.

        A token without `catalog:read` is not shown what it replaced (204).
        """
        try:
            row = schemas.read_end_user(base.named_body(request, "user_id", user_id))
        except FieldRefused as refused:
            base.refuse(refused)
        with write.effect():
            end_user, created = end_users.put_end_user(
                tenant_id=caller(request).tenant_id,
                end_user=row,
                now=clock.now(),
                check=base.precondition(request),
            )
            if created:
                headers = {"ETag": _tag(end_user), "Location": locations.path_of(request)}
                return write.answer(Response(schema.end_user_body(end_user), status=201, headers=headers))
            return base.written(request, write, body=schema.end_user_body(end_user), tag=_tag(end_user))

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
        """Replaces the given fields, each as a whole; null empties one; the others stay.

        A token without `catalog:read` is not shown them (204).
        """
        try:
            changes = schemas.END_USER.read_given(base.named_body(request, "user_id", user_id))
        except FieldRefused as refused:
            base.refuse(refused)
        with write.effect():
            end_user = end_users.patch_end_user(
                tenant_id=caller(request).tenant_id,
                user_id=user_id,
                changes=changes,
                now=clock.now(),
                check=base.precondition(request),
            )
            return base.written(request, write, body=schema.end_user_body(end_user), tag=_tag(end_user))

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
        """Erases the person with their events, lists and stored answers.

        The receipt does not repeat who it was: it is kept itself, under the Idempotency-Key. An id that looks like a
        variable without a value (`null`, `undefined`) is refused, unless `If-Match` names the person's ETag.
        """
        # Whoever has read the person and names their version means them, whatever their id looks like.
        meant = request.META.get("HTTP_IF_MATCH", "*").strip() != "*"
        tenant_id = caller(request).tenant_id
        user_id = (base.path_id if meant else base.certain_id)("user_id", user_id)
        erase.forget_cached(tenant_id=tenant_id, user_id=user_id)
        with write.effect():
            receipt = erase.erase_end_user(
                tenant_id=tenant_id, user_id=user_id, now=clock.now(), check=base.precondition(request)
            )
            return write.answer(Response(schema.receipt_body(receipt), headers={"Cache-Control": "no-store"}))


class UsersView(ResourceView):
    """The people."""

    scope = base.reading(READ)

    @extend_schema(
        operation_id="users_list",
        summary="List users",
        tags=["users"],
        parameters=[
            OpenApiParameter(
                "updated_since", OpenApiTypes.DATETIME, description="Changed then or later, in the order of change."
            ),
            *base.PAGE_PARAMETERS,
        ],
        responses={200: schema.EndUserPage, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """End users by id, or in the order of their change with `updated_since`."""
        query = pagination.known_parameters(request.query_params, "updated_since")
        since = base.query_value(query, "updated_since", validators.moment)
        tenant_id = caller(request).tenant_id
        pages = Pages.read(query, binding={"list": "users", "tenant": tenant_id, "since": str(since)})
        found = selectors.list_end_users(
            tenant_id=tenant_id, updated_since=since, after=pages.after, limit=pages.limit + 1
        )
        rows = found[: pages.limit]
        more = len(found) > len(rows)
        cursor = pages.cursor(selectors.position(rows[-1], by_change=since is not None) if more else None)
        return etags.answer(
            request,
            tag=etags.etag([*((row.pk, row.updated_at) for row in rows), cursor]),
            body=lambda: {"data": [schema.end_user_body(row) for row in rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )


def _tag(end_user: EndUser) -> str:
    return str(base.tag(end_users.version(end_user)))
