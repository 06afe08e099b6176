"""Recommendations for an anonymous session."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.api.views import ChargedWithReads
from accounts.tokens.authentication import caller
from core import clock
from recommendations.api.v1.list_options import (
    RequestLimiter,
    common_options,
    list_response,
    units_of,
    with_cursor,
)
from recommendations.api.v1.serializers import recommendations as schema
from recommendations.serving.lists.session_list import Session, read_session_list
from recommendations.serving.read.list_query import Subject


class SessionView(ChargedWithReads):
    """A list for an anonymous session."""

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
        """Recommendations for the events of a session, the latest weighing most. A read: nothing is stored."""
        asked = schema.SessionRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        body: dict[str, Any] = asked.validated_data
        now = clock.now()
        tenant_id = caller(request).tenant_id
        session = Session.from_events(body["events"], tenant_id=tenant_id)
        subject = Subject(tenant_id, reference=session.reference)
        options = with_cursor(common_options(body, request, browser=False), body.get("cursor", ""), subject, now)
        limiter = RequestLimiter(request, now, units_of(options))
        resolved = read_session_list(tenant_id=tenant_id, session=session, now=now, limiter=limiter)
        return list_response(request, resolved=resolved, subject=subject, options=options, now=now)
