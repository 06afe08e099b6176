"""The answers: personal lists, batches, similar items, popular items."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.api.views import AdmittedWithReads
from accounts.tokens import browser_tokens
from accounts.tokens.authentication import caller
from core import clock, external_ids
from core.errors import FieldError, InvalidInput, NotFound
from core.http import etags, pagination
from recommendations import list_kinds
from recommendations.api.v1 import fields
from recommendations.api.v1.languages import preferred
from recommendations.api.v1.list_options import (
    CACHE_HEADERS,
    RequestLimiter,
    check_id,
    common_options,
    of_browser,
    placement_of,
    units_of,
)
from recommendations.api.v1.serializers import recommendations as schema
from recommendations.list_kinds import ListKind
from recommendations.placements.models import HOME
from recommendations.serving.lists import shared_lists
from recommendations.serving.lists.session_list import Session, read_session_list
from recommendations.serving.lists.user_lists import read_user_lists
from recommendations.serving.page import render
from recommendations.serving.read import selectors
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import ResolvedList


class RecommendationsView(AdmittedWithReads):
    """One person's list."""

    scope = "recommendations:read"
    person = {"GET": browser_tokens.in_path}

    @extend_schema(
        operation_id="user_recommendations",
        summary="Get a user's recommendations",
        tags=["recommendations"],
        parameters=[
            OpenApiParameter("user_id", fields.ID, OpenApiParameter.PATH),
            OpenApiParameter("placement", OpenApiTypes.STR, default=HOME),
            *schema.PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(schema.Recommendations, examples=[schema.EXAMPLE]), **schema.PROBLEMS},
    )
    def get(self, request: Request, user_id: str) -> HttpResponse:
        """The person's precomputed list, or the placement's fallback; `source` and `degraded` say which."""
        check_id("/user_id", user_id)
        query = request.query_params
        placement = placement_of(query.get("placement", HOME))
        subject = Subject(caller(request).tenant_id, user_id, placement)
        now = clock.now()
        options = _options(request, subject, now, schema.PersonQuery)
        if caller(request).user_id:
            options = of_browser(options, subject)
        (answer,) = read_user_lists(
            tenant_id=subject.tenant_id,
            placement=placement,
            user_ids=[user_id],
            options=options,
            limiter=RequestLimiter(request, now, units_of(options)),
            now=now,
        )
        return _answer(request, answer, subject, now)


class RecommendationsBatchView(AdmittedWithReads):
    """Up to a hundred people's lists."""

    scope = "recommendations:read"

    @extend_schema(
        operation_id="recommendations_batch",
        summary="Get recommendations for many users",
        tags=["recommendations"],
        request=schema.BatchRequest,
        responses={200: schema.BatchResponse, **schema.PROBLEMS},
        examples=[schema.BATCH_EXAMPLE, schema.BATCH_ANSWER_EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        """The lists of many people in one call, with the same options for all. A read: nothing is stored."""
        asked = schema.BatchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        body: dict[str, Any] = asked.validated_data
        now, tenant_id = clock.now(), caller(request).tenant_id
        options = common_options(body, request, browser=False)
        answers = read_user_lists(
            tenant_id=tenant_id,
            placement=placement_of(body["placement"]),
            user_ids=body["user_ids"],
            options=options,
            limiter=RequestLimiter(request, now, units_of(options, len(body["user_ids"]))),
            now=now,
        )
        for answer, user_id in zip(answers, body["user_ids"], strict=True):
            subject = Subject(tenant_id, user_id, body["placement"])
            render.record_impression(answer=answer, subject=subject, now=now)
        return HttpResponse(
            b'{"data":[' + b",".join(answer.body for answer in answers) + b"]}",
            content_type="application/json",
            headers=CACHE_HEADERS,
        )


class SimilarItemsView(AdmittedWithReads):
    """An item's neighbours."""

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
        """Items that the same people turn to; popular ones, and it says so, for an item nobody has touched yet."""
        check_id("/item_id", item_id)
        subject = Subject(caller(request).tenant_id, reference=f"{self.kind.key}:{item_id}")
        now = clock.now()
        options = _options(request, subject, now)
        tenant_id = subject.tenant_id
        limiter = RequestLimiter(request, now, units_of(options))
        resolved = shared_lists.read_neighbours(
            tenant_id=tenant_id, kind=self.kind, item_id=item_id, now=now, limiter=limiter
        )
        doubtful = resolved is None or resolved.withdrawn.get(item_id) == 0.0
        if doubtful and not selectors.item_exists(tenant_id=tenant_id, item_id=item_id):
            raise NotFound(f"There is no item {external_ids.shown(item_id)}.")
        resolved = resolved or shared_lists.read_popular(tenant_id=tenant_id, now=now).without([item_id])
        return _page(request, resolved, subject, options, now)


class TogetherView(SimilarItemsView):
    """What is bought with an item."""

    kind = list_kinds.TOGETHER

    @extend_schema(
        operation_id="item_frequently_bought_together",
        summary="List items bought together with an item",
        tags=["recommendations"],
        parameters=[OpenApiParameter("item_id", fields.ID, OpenApiParameter.PATH), *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request, item_id: str) -> HttpResponse:
        """Items of the same baskets; popular ones, and it says so, for an item that was bought with no other."""
        return super().get(request, item_id)


class _ForEverybody(AdmittedWithReads):
    """A list that belongs to nobody."""

    scope = "recommendations:read"

    known: type[schema.PageQuery] = schema.WindowQuery

    def answer(self, request: Request, kind: ListKind, window: str) -> HttpResponse:
        """The list of this kind and window."""
        subject = Subject(caller(request).tenant_id, reference=f"{kind.key}:{window}" if window else kind.key)
        now = clock.now()
        options = _options(request, subject, now, self.known)
        limiter = RequestLimiter(request, now, units_of(options))
        if kind.stored:
            resolved = shared_lists.read_shared(
                tenant_id=subject.tenant_id, kind=kind, subject=window, now=now, limiter=limiter
            )
        else:
            resolved = shared_lists.read_latest(tenant_id=subject.tenant_id, now=now, limiter=limiter)
        return _page(request, resolved, subject, options, now)


class PopularView(_ForEverybody):
    """What is popular with the tenant's people."""

    @extend_schema(
        operation_id="recommendations_popular",
        summary="List popular items",
        tags=["recommendations"],
        parameters=[schema.WINDOW, *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """The popular list, of all time or of a window; before the first build the latest items, and it says so."""
        return self.answer(request, list_kinds.POPULAR, _window(request.query_params.get("window", "")))


class TrendingView(_ForEverybody):
    """What is chosen more and more."""

    @extend_schema(
        operation_id="recommendations_trending",
        summary="List trending items",
        tags=["recommendations"],
        parameters=[schema.TRENDING_WINDOW, *schema.PAGE_PARAMETERS],
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Events of the window by weight and age; what is popular where there is no such list yet."""
        return self.answer(request, list_kinds.TRENDING, _window(request.query_params.get("window", schema.WEEK)))


class LatestView(_ForEverybody):
    """What is new in the catalogue."""

    known = schema.PageQuery

    @extend_schema(
        operation_id="recommendations_latest",
        summary="List the newest items",
        tags=["recommendations"],
        parameters=schema.PAGE_PARAMETERS,
        responses={200: schema.Recommendations, **schema.PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """The newest items that may be shown, newest first."""
        return self.answer(request, list_kinds.LATEST, "")


class SessionView(AdmittedWithReads):
    """A list for a visit of somebody whom nobody needs to know."""

    scope = "recommendations:read"

    @extend_schema(
        operation_id="recommendations_session",
        summary="Get recommendations for an anonymous session",
        tags=["recommendations"],
        request=schema.SessionRequest,
        responses={200: schema.Recommendations, **schema.PROBLEMS},
        examples=[schema.SESSION_EXAMPLE],
    )
    def post(self, request: Request) -> HttpResponse:
        """What goes with the items of the visit, the latest most. A read: nothing of it is stored."""
        asked = schema.SessionRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        body: dict[str, Any] = asked.validated_data
        now = clock.now()
        tenant_id = caller(request).tenant_id
        session = Session.from_events(body["events"], tenant_id=tenant_id)
        subject = Subject(tenant_id, reference=session.reference)
        options = _with_cursor(common_options(body, request, browser=False), body.get("cursor", ""), subject, now)
        limiter = RequestLimiter(request, now, units_of(options))
        resolved = read_session_list(tenant_id=tenant_id, session=session, now=now, limiter=limiter)
        return _page(request, resolved, subject, options, now)


def _options(
    request: Request, subject: Subject, now: datetime, known: type[schema.PageQuery] = schema.PageQuery
) -> Options:
    query = request.query_params
    if not query:
        return Options(language=preferred(request))
    for name in query:
        if name != "exclude" and len(query.getlist(name)) > 1:
            raise pagination.invalid(f"/{name}", "repeated", "Give this parameter once.")
    asked = known(data={**query.dict(), "exclude": query.getlist("exclude")})
    asked.is_valid(raise_exception=True)
    values: dict[str, Any] = asked.validated_data
    options = common_options(values, request, browser=bool(caller(request).user_id))
    return _with_cursor(options, values["cursor"], subject, now)


def _with_cursor(options: Options, token: str, subject: Subject, now: datetime) -> Options:
    if not token:
        return options
    return replace(options, shown=render.read_cursor(token, subject=subject, options=options, now=now))


def _window(name: str) -> str:
    """Raises: InvalidInput for one that is not counted."""
    if name and name not in schema.WINDOWS:
        detail = f"Must be one of {', '.join(schema.WINDOWS)}."
        raise InvalidInput(detail, errors=[FieldError("/window", "unknown_window", detail)])
    return name


def _page(request: Request, resolved: ResolvedList, subject: Subject, options: Options, now: datetime) -> HttpResponse:
    return _answer(request, render.render(resolved=resolved, subject=subject, options=options, now=now), subject, now)


def _answer(request: Request, answer: render.Answer, subject: Subject, now: datetime) -> HttpResponse:
    render.record_impression(answer=answer, subject=subject, now=now)
    unchanged = etags.names(request.META.get("HTTP_IF_NONE_MATCH", ""), answer.etag)
    response = (
        HttpResponse(status=304, headers=CACHE_HEADERS)
        if unchanged
        else HttpResponse(answer.body, content_type="application/json", headers=CACHE_HEADERS)
    )
    response["ETag"] = answer.etag
    if unchanged:
        del response["Content-Type"]
    return response
