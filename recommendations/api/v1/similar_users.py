"""Users similar to a user."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.errors import NotFound
from core.http import etags, pagination
from recommendations.api.v1 import base
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import similar_users as schema
from recommendations.degradation import NO_BUILD
from recommendations.serving.lists import similar_users
from recommendations.serving.read import cursor

CACHE_HEADERS = {"Cache-Control": "private, no-cache"}


class RelatedPeopleView(ResourceView):
    """Users similar to a user. Not for browser tokens, as it is about others."""

    scope = base.reading("recommendations:read")

    @extend_schema(
        operation_id="user_related",
        summary="List users who are like this one",
        tags=["recommendations"],
        parameters=[base.path_parameter("user_id"), *schema.PARAMETERS],
        responses={200: schema.RelatedPeople, **base.NOT_MODIFIED, **base.READ_PROBLEMS},
        examples=[schema.EXAMPLE],
    )
    def get(self, request: Request, user_id: str) -> Response:
        """Users with similar choices as of the last training, best first; `degraded` if there is no training."""
        tenant_id, now = caller(request).tenant_id, clock.now()
        user_id = base.path_id("user_id", user_id)
        query = pagination.known_parameters(request.query_params)
        limit = schema.read_limit(query.get("limit"))
        binding = f"related {tenant_id} {user_id}"
        shown = cursor.read(query["cursor"], binding=binding, now=now) if "cursor" in query else []
        found = similar_users.read_similar_users(tenant_id=tenant_id, user_id=user_id)
        if found is None:
            raise NotFound("Unknown user.")
        people, more = similar_users.page(found, shown=shown, limit=limit)
        digests = [*shown, *(cursor.digest(name) for name, _ in people)]
        after = cursor.write(shown=digests, binding=binding, now=now) if more else None
        return etags.conditional_response(
            request,
            tag=etags.etag([found.generated_at, people, after]),
            body=lambda: _body(user_id, found, people, after),
            headers={**CACHE_HEADERS, **pagination.link(request, after)},
        )


def _body(
    user_id: str, found: similar_users.SimilarUsers, people: list[tuple[str, float]], after: str | None
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "source": "model" if people else "static",
        "degraded": None if found.generated_at else NO_BUILD,
        "generated_at": base.stamp(found.generated_at),
        "data": [{"user_id": name, "score": score} for name, score in people],
        "next": after,
    }
