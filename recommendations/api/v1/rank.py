"""Ranking of given items for a user, such as search results or candidates for an e-mail."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from accounts.api.views import ChargedWithReads
from accounts.tokens import browser_permissions
from accounts.tokens.authentication import caller
from core import clock
from core.http import pagination
from recommendations.api.v1 import fields
from recommendations.api.v1.list_options import (
    RequestLimiter,
    check_id,
    common_options,
    of_browser,
    placement_of,
    units_of,
)
from recommendations.api.v1.serializers import rank as schema
from recommendations.api.v1.serializers.recommendations import PROBLEMS
from recommendations.serving.page import render as page
from recommendations.serving.ranking.rank import rank
from recommendations.serving.ranking.ranking_query import RankQuery
from recommendations.serving.ranking.render import render, subject_of
from recommendations.serving.read.list_query import Options

# A request counts as one for the user, and one more per so many items.
ITEMS_OF_UNIT = 50
HEADERS = {"Cache-Control": "no-store", "Vary": "Authorization, Origin, Accept-Language"}


class RankView(ChargedWithReads):
    """Ranks given items for a user."""

    scope = "recommendations:read"
    browser_users = {"POST": browser_permissions.user_in_path}

    @extend_schema(
        operation_id="user_rank",
        summary="Rank given items for a user",
        tags=["recommendations"],
        parameters=[OpenApiParameter("user_id", fields.ID, OpenApiParameter.PATH)],
        request=schema.RankRequest,
        responses={200: schema.Ranking, **PROBLEMS},
        examples=[schema.ASKED_EXAMPLE, schema.EXAMPLE],
    )
    def post(self, request: Request, user_id: str) -> HttpResponse:
        """Ranks up to 1,000 items, best first; `left_out` lists the others with reasons. A read by POST.

        `source` and `degraded` tell how the order was made; unknown users get items by popularity.
        """
        check_id("/user_id", user_id)
        body = schema.RankRequest(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        now = clock.now()
        query = _asked(request, user_id, values)
        cost = units_of(query.options) + len(query.item_ids) // ITEMS_OF_UNIT
        ranked = rank(query=query, now=now, limiter=RequestLimiter(request, now, cost))
        answer = render(query=query, ranked=ranked, now=now)
        page.record_impression(answer=answer, subject=subject_of(query), now=now)
        return HttpResponse(answer.body, content_type="application/json", headers=HEADERS)


def _asked(request: Request, user_id: str, values: dict[str, Any]) -> RankQuery:
    """Raises: InvalidInput; FilterTooCostly."""
    who = caller(request)
    browser = bool(who.user_id)
    item_ids: list[str] = values["item_ids"]
    if browser and len(item_ids) > schema.MAX_BROWSER_ITEMS:
        detail = f"Browser tokens may rank at most {schema.MAX_BROWSER_ITEMS} items; these are {len(item_ids)}."
        raise pagination.invalid("/item_ids", "too_many", detail)
    options: Options = common_options(values, request, browser=browser)
    query = RankQuery(
        tenant_id=who.tenant_id,
        user_id=user_id,
        item_ids=item_ids,
        placement=placement_of(values["placement"]) if "placement" in values else "",
        options=options,
        consumed_too=values["rank_consumed"],
        plainly=browser,
    )
    return replace(query, options=of_browser(options, subject_of(query))) if browser else query
