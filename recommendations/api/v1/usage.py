"""GET /usage: used and remaining quota and AI budget of a tenant."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import ChargedWithReads
from accounts.limits import plan_limits, usage
from accounts.tokens.authentication import caller
from core import clock
from core.http import etags
from core.ratelimit import billing_periods, keys
from recommendations.ai.budget import reports
from recommendations.ai.config.limits import budget_limits
from recommendations.api.v1 import base
from recommendations.api.v1.serializers import usage as schema


class UsageView(ChargedWithReads):
    """The tenant's usage of its plan."""

    scope = "usage:read"

    @extend_schema(
        operation_id="usage",
        summary="Get quota and AI budget, used and left",
        tags=["usage"],
        parameters=[base.IF_NONE_MATCH, base.ETAG],
        responses={200: schema.UsageAnswer, **base.NOT_MODIFIED, **base.USAGE_PROBLEMS},
        examples=[schema.EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """The plan, its quota and the AI budget, used and left.

        It does not count against the monthly quota and works when that is used up; the read rate limit applies.
        """
        tenant_id, now = caller(request).tenant_id, clock.now()
        counter = keys.quota(tenant_id, billing_periods.month_at(now).name)
        decision = plan_limits.charge_request(
            request, now=now, endpoint_class=self.endpoint_class, reads=[("get", counter)], of_quota=False
        )
        counted = int(decision.values[0] or 0) if decision.values else 0
        status = usage.get_status(tenant_id=tenant_id, counted=counted, now=now)
        spent = reports.cap_usage(tenant_id=tenant_id, limits=budget_limits(settings), now=now)
        body = schema.body(status, spent)
        return etags.conditional_response(request, tag=etags.etag([tenant_id, body]), body=lambda: body)
