"""Insights: impressions, clicks and conversions."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import etags, pagination
from core.http.pagination import Pages
from recommendations.api.v1 import base
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import insights as schema
from recommendations.attribution import insights

USUAL_DAYS, MOST_DAYS = 28, 366
_LABEL = re.compile(r"@?[A-Za-z0-9_-]{1,63}")


class PlacementsView(ResourceView):
    """Counts by placement, arm, source and day."""

    scope = base.reading("insights:read")

    @extend_schema(
        operation_id="insights_placements",
        summary="Get impressions, clicks and conversions by placement",
        tags=["insights"],
        parameters=[*schema.PARAMETERS, *base.PAGE_PARAMETERS],
        responses={200: schema.PlacementInsights, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Impressions, clicks, conversions and derived metrics; a few seconds old."""
        query = pagination.known_parameters(request.query_params, "from", "to", "by", "placement")
        now = clock.now()
        since, until = _days(query, now)
        by, placement = _dimensions(query.get("by")), _placement(query.get("placement"))
        tenant_id = caller(request).tenant_id
        wanted = [since.isoformat(), until.isoformat(), by, placement]
        pages = Pages.read(query, binding={"list": "insights", "tenant": tenant_id, "filter": wanted})
        rows = insights.placements(tenant_id=tenant_id, since=since, until=until, now=now, by=by, placement=placement)
        if pages.after is not None:
            rows = [row for row in rows if row.key > pages.after]
        page = rows[: pages.limit]
        cursor = pages.cursor(page[-1].key if len(rows) > pages.limit else None)
        return etags.conditional_response(
            request,
            tag=etags.etag([*page, cursor]),
            body=lambda: {"data": [schema.body(row) for row in page], "next": cursor},
            headers=pagination.link(request, cursor),
        )


def _days(query: Mapping[str, str], now: datetime) -> tuple[date, date]:
    until = _day(query, "to") or max(now.date(), _day(query, "from") or date.min)
    since = _day(query, "from") or _back(until, USUAL_DAYS - 1)
    if since > until:
        raise pagination.invalid("/from", "after_to", "The first day is after the last.")
    if (until - since).days >= MOST_DAYS:
        raise pagination.invalid("/from", "range_too_long", f"At most {MOST_DAYS} days at once.")
    return since, until


def _back(day: date, days: int) -> date:
    return day - timedelta(days=days) if day.toordinal() > days else date.min


def _day(query: Mapping[str, str], name: str) -> date | None:
    if name not in query:
        return None
    try:
        return datetime.strptime(query[name], "%Y-%m-%d").replace(tzinfo=None).date()  # noqa: DTZ007  # a day only
    except ValueError:
        raise pagination.invalid(f"/{name}", "bad_date", "Must be a date, such as 2026-11-23.") from None


def _placement(text: str | None) -> str | None:
    if text is not None and not _LABEL.fullmatch(text):
        raise pagination.invalid(
            "/placement", "bad_placement", "Must be a placement's name, or a list such as @popular."
        )
    return text


def _dimensions(text: str | None) -> tuple[str, ...]:
    if text is None:
        return insights.DIMENSIONS
    names = text.split(",") if text else []
    if unknown := [name for name in names if name not in insights.DIMENSIONS]:
        known = ", ".join(insights.DIMENSIONS)
        raise pagination.invalid("/by", "unknown_dimension", f"Unknown dimension {unknown[0]!r}. Allowed: {known}.")
    return tuple(name for name in insights.DIMENSIONS if name in names)
