"""Lists that do not belong to a user: similar, bought together, popular, trending, latest."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from accounts.api.views import ChargedWithReads
from accounts.tokens.authentication import caller
from core import clock, external_ids
from core.errors import FieldError, InvalidInput, NotFound
from recommendations import list_kinds
from recommendations.api.v1 import fields
from recommendations.api.v1.list_options import (
    RequestLimiter,
    check_id,
    list_response,
    read_list_options,
    units_of,
)
from recommendations.api.v1.serializers import recommendations as schema
from recommendations.list_kinds import ListKind
from recommendations.serving.lists import shared_lists
from recommendations.serving.read import selectors
from recommendations.serving.read.list_query import Subject


class SimilarItemsView(ChargedWithReads):
    """Items similar to an item."""

    scope = "recommendations:read"
    kind = list_kinds.SIMILAR

    @extend_schema(
        operation_id="item_similar",
        summary="List items similar to an item",
        tags=["recommendations"],
        parameters=[OpenApiParameter("item_id", fields.ID, OpenApiParameter.PATH), *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request, item_id: str) -> HttpResponse:
        """Items that the same users choose; popular items, with `degraded` set, for an item without events."""
        check_id("/item_id", item_id)
        subject = Subject(caller(request).tenant_id, reference=f"{self.kind.key}:{item_id}")
        now = clock.now()
        options = read_list_options(request, subject, now)
        tenant_id = subject.tenant_id
        limiter = RequestLimiter(request, now, units_of(options))
        resolved = shared_lists.read_neighbours(
            tenant_id=tenant_id, kind=self.kind, item_id=item_id, now=now, limiter=limiter
        )
        doubtful = resolved is None or resolved.withdrawn.get(item_id) == 0.0
        if doubtful and not selectors.item_exists(tenant_id=tenant_id, item_id=item_id):
            raise NotFound(f"There is no item {external_ids.printable(item_id)}.")
        resolved = resolved or shared_lists.read_popular(tenant_id=tenant_id, now=now).without([item_id])
        return list_response(request, resolved=resolved, subject=subject, options=options, now=now)


class TogetherView(SimilarItemsView):
    """Items bought together with an item."""

    kind = list_kinds.TOGETHER

    @extend_schema(
        operation_id="item_frequently_bought_together",
        summary="List items bought together with an item",
        tags=["recommendations"],
        parameters=[OpenApiParameter("item_id", fields.ID, OpenApiParameter.PATH), *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request, item_id: str) -> HttpResponse:
        """Items from the same baskets; popular items, with `degraded` set, for an item never bought with others."""
        return super().get(request, item_id)


class _ForEverybody(ChargedWithReads):
    """A list that belongs to nobody."""

    scope = "recommendations:read"

    known: type[schema.PageQuery] = schema.WindowQuery

    def answer(self, request: Request, kind: ListKind, window: str) -> HttpResponse:
        """The list of this kind and window."""
        subject = Subject(caller(request).tenant_id, reference=f"{kind.key}:{window}" if window else kind.key)
        now = clock.now()
        options = read_list_options(request, subject, now, self.known)
        limiter = RequestLimiter(request, now, units_of(options))
        if kind.stored:
            resolved = shared_lists.read_shared(
                tenant_id=subject.tenant_id, kind=kind, subject=window, now=now, limiter=limiter
            )
        else:
            resolved = shared_lists.read_latest(tenant_id=subject.tenant_id, now=now, limiter=limiter)
        return list_response(request, resolved=resolved, subject=subject, options=options, now=now)


class PopularView(_ForEverybody):
    """Items popular with the tenant's users."""

    @extend_schema(
        operation_id="recommendations_popular",
        summary="List popular items",
        tags=["recommendations"],
        parameters=[schema.WINDOW, *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Popular items of all time or a window; before the first build the newest items, with `degraded` set."""
        return self.answer(request, list_kinds.POPULAR, _window(request.query_params.get("window", "")))


class TrendingView(_ForEverybody):
    """Trending items."""

    @extend_schema(
        operation_id="recommendations_trending",
        summary="List trending items",
        tags=["recommendations"],
        parameters=[schema.TRENDING_WINDOW, *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Items by weight and age of the window's events; popular items if there is no such list yet."""
        return self.answer(request, list_kinds.TRENDING, _window(request.query_params.get("window", schema.WEEK)))


class LatestView(_ForEverybody):
    """The newest items of the catalogue."""

    known = schema.PageQuery

    @extend_schema(
        operation_id="recommendations_latest",
        summary="List the newest items",
        tags=["recommendations"],
        parameters=schema.PAGE_PARAMETERS,
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Available items, newest first."""
        return self.answer(request, list_kinds.LATEST, "")


def _window(name: str) -> str:
    """Raises: InvalidInput for an unknown window."""
    if name and name not in schema.WINDOWS:
        detail = f"Must be one of {', '.join(schema.WINDOWS)}."
        raise InvalidInput(detail, errors=[FieldError("/window", "unknown_window", detail)])
    return name
