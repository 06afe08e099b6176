"""Recommendations of one user and of many."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.api.views import ChargedWithReads
from accounts.tokens import browser_permissions
from accounts.tokens.authentication import caller
from core import clock
from recommendations.api.v1 import fields
from recommendations.api.v1.list_options import (
    CACHE_HEADERS,
    RequestLimiter,
    answer_response,
    check_id,
    common_options,
    of_browser,
    placement_of,
    read_list_options,
    units_of,
)
from recommendations.api.v1.serializers import recommendations as schema
from recommendations.placements.models import HOME
from recommendations.serving.lists.user_lists import read_user_lists
from recommendations.serving.page import render
from recommendations.serving.read.list_query import Subject


class RecommendationsView(ChargedWithReads):
    """One user's list."""

    scope = "recommendations:read"
    browser_users = {"GET": browser_permissions.user_in_path}

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
        """The user's precomputed list, or the placement's fallback; `source` and `degraded` tell which."""
        check_id("/user_id", user_id)
        query = request.query_params
        placement = placement_of(query.get("placement", HOME))
        subject = Subject(caller(request).tenant_id, user_id, placement)
        now = clock.now()
        options = read_list_options(request, subject, now, schema.PersonQuery)
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
        return answer_response(request, answer, subject, now)


class RecommendationsBatchView(ChargedWithReads):
    """Lists of up to 100 users."""

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
        """The lists of many users in one call, with the same options. A read: nothing is stored."""
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
