"""Events: sending one, and the list."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import end_user
from accounts.authentication import caller
from core import clock, conditional, pagination
from core.errors import InvalidInput
from core.idempotency.view import Write
from core.pagination import Pages
from recommendations.api.v1 import events_schema as schema
from recommendations.api.v1 import resource, wire
from recommendations.api.v1.resource import ResourceView
from recommendations.catalog import fields
from recommendations.catalog.fields import FieldRefused
from recommendations.interactions import event as events
from recommendations.interactions import queries
from recommendations.interactions.queries import EventFilter
from recommendations.interactions.record import record


class EventsView(ResourceView):
    """What people did."""

    scope = resource.reading("events:read", POST="events:write")
    person = {"POST": end_user.in_body}

    @extend_schema(
        operation_id="events_list",
        tags=["events"],
        parameters=[
            OpenApiParameter("user_id", wire.ID),
            OpenApiParameter("type", wire.TYPE),
            *resource.PAGE_PARAMETERS,
        ],
        responses={200: schema.EventPage, **resource.NOT_MODIFIED, **resource.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Events, newest first. A page that is filtered by `type` may be short, even empty, while `next` goes on."""
        query = pagination.known_parameters(request.query_params, "user_id", "type")
        wanted = EventFilter(
            user_id=resource.query_value(query, "user_id", fields.identifier),
            type=resource.query_value(query, "type", events.type_name),
        )
        tenant_id = caller(request).tenant_id
        pages = Pages.read(query, binding={"list": "events", "tenant": tenant_id, "filter": str(wanted)})
        page = queries.list_events(tenant_id=tenant_id, wanted=wanted, after=pages.after, limit=pages.limit)
        cursor = pages.cursor(page.after)
        return conditional.answer(
            request,
            tag=conditional.etag([*((row["id"], row["user_id"]) for row in page.rows), cursor]),
            body=lambda: {"data": [schema.stored_body(row) for row in page.rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )

    @extend_schema(
        operation_id="event_send",
        tags=["events"],
        request=schema.EventFields,
        responses={200: schema.EventAnswer, 201: schema.EventAnswer, **resource.SEND_PROBLEMS},
        examples=[schema.SENT_EXAMPLE, schema.STORED_EXAMPLE],
    )
    @resource.idempotent_write
    def post(self, request: Request, *, write: Write) -> Response:
        """Stores an event (201); one that is stored already answers 200 with what is stored."""
        now, tenant_id = clock.now(), caller(request).tenant_id
        try:
            event = events.read_event(request.data, now=now)
        except FieldRefused as refused:
            resource.refuse(refused)
        with write.effect():
            (outcome,) = record(tenant_id=tenant_id, events=[event], now=now)
            if outcome.status == "rejected":
                raise InvalidInput(outcome.errors[0].detail, errors=outcome.errors)
            if outcome.status == "created":
                return write.answer(Response(schema.sent_body(event, now), status=201))
            stored = queries.find_event(tenant_id=tenant_id, digest=event.digest)
            body = schema.stored_body(stored) if stored else schema.sent_body(event, now)
            return write.answer(Response(body, status=200))
