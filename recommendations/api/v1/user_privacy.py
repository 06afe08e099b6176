"""Export and merging of users."""

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import user_privacy as schema
from recommendations.catalog.validators import FieldRefused
from recommendations.privacy import erase
from recommendations.privacy.export import export_end_user
from recommendations.privacy.merge import merge_end_users

_USER_ID = base.path_parameter("user_id")


class UserExportView(ResourceView):
    """Exports a user."""

    scope = base.reading("privacy:read")

    @extend_schema(
        operation_id="user_export",
        summary="Export everything held about a user",
        tags=["users"],
        parameters=[_USER_ID],
        responses={200: schema.EndUserExport, **base.READ_PROBLEMS},
        examples=[schema.EXPORT_EXAMPLE],
    )
    def get(self, request: Request, user_id: str) -> StreamingHttpResponse:
        """One streamed document: the user, their events, lists, AI records and stored responses."""
        parts = export_end_user(
            tenant_id=caller(request).tenant_id, user_id=base.path_id("user_id", user_id), now=clock.now()
        )
        headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="export.json"'}
        return StreamingHttpResponse(parts, content_type="application/json", headers=headers)


class UserMergeView(ResourceView):
    """Merges users."""

    scope = {"POST": "privacy:write"}

    @extend_schema(
        operation_id="user_merge",
        summary="Merge another user into this one",
        tags=["users"],
        parameters=[_USER_ID],
        request=schema.MergeFields,
        responses={200: schema.MergeAnswer, **base.MERGE_PROBLEMS},
        examples=[schema.MERGE_EXAMPLE, schema.MERGED_EXAMPLE],
    )
    @base.idempotent_write
    def post(self, request: Request, user_id: str, *, write: Write) -> Response:
        """Moves the history of `from` to this user and removes `from`; other data of this user stays as it is.

        It removes a user, so it requires the scope of erasures. It cannot be undone, so ids that look like unset
        variables (`null`, `undefined`) are rejected.
        """
        tenant_id, user_id = caller(request).tenant_id, base.deliberate_id("user_id", user_id)
        try:
            source_id = schema.read_merge(request.data)
        except FieldRefused as refused:
            base.refuse(refused)
        erase.remove_cached_lists(tenant_id=tenant_id, user_id=source_id)
        with write.effect():
            merged = merge_end_users(tenant_id=tenant_id, user_id=user_id, source_id=source_id, now=clock.now())
            return write.answer(Response(schema.merge_body(user_id, merged)))
