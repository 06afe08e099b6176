"""Events: send one, list them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import browser_permissions
from accounts.tokens.authentication import caller
from core import clock
from core.errors import InvalidInput, ServiceError
from core.http import etags, pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from core.principal import Principal
from recommendations.api.v1 import base
from recommendations.api.v1 import fields as wire
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import events as schema
from recommendations.catalog import validators
from recommendations.catalog.batch_results import RowResult
from recommendations.catalog.validators import FieldRefused
from recommendations.interactions import event_schema as events
from recommendations.interactions import selectors
from recommendations.interactions.selectors import EventFilter
from recommendations.interactions.writing import plain_bodies
from recommendations.interactions.writing.deduplication import EventIdReused
from recommendations.interactions.writing.single_event import EventWrite

READ = "events:read"


class EventsView(ResourceView):
    """Events of users."""

    scope = base.reading(READ, POST="events:write")
    browser_users = {"POST": browser_permissions.user_in_body}

    @extend_schema(
        operation_id="events_list",
        summary="List events",
        tags=["events"],
        parameters=[
            OpenApiParameter("user_id", wire.ID),
            OpenApiParameter("type", wire.TYPE),
            *base.PAGE_PARAMETERS,
        ],
        responses={200: schema.EventPage, **base.NOT_MODIFIED, **base.LIST_PROBLEMS},
        examples=[schema.PAGE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Events, newest first. With `type`, a page may be short or even empty although `next` is set."""
        query = pagination.known_parameters(request.query_params, "user_id", "type")
        conditions = EventFilter(
            user_id=base.query_value(query, "user_id", validators.identifier),
            type=base.query_value(query, "type", events.type_name),
        )
        tenant_id = caller(request).tenant_id
        pages = Pages.read(query, binding={"list": "events", "tenant": tenant_id, "filter": str(conditions)})
        page = selectors.list_events(tenant_id=tenant_id, conditions=conditions, after=pages.after, limit=pages.limit)
        cursor = pages.cursor(page.after)
        return etags.conditional_response(
            request,
            tag=etags.etag([*((row["id"], row["user_id"]) for row in page.rows), cursor]),
            body=lambda: {"data": [schema.stored_body(row) for row in page.rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )

    @extend_schema(
        operation_id="event_send",
        summary="Send an event",
        tags=["events"],
        request=schema.EventFields,
        responses={200: schema.EventAnswer, 201: schema.EventAnswer, **base.SEND_PROBLEMS},
        examples=[schema.SENT_EXAMPLE, schema.STORED_EXAMPLE],
    )
    @base.quick_idempotent_write
    def post(self, request: Request, *, write: Write) -> Response:
        """Stores an event (201). An event that is stored already answers 200, and is shown if the token may read it.

        An event that reuses the `event_id` of another event of its user is rejected as `event_id_reused`.
        """
        now, tenant_id = clock.now(), caller(request).tenant_id
        plain = base.plain_json(request)
        event = plain and plain_bodies.read_one(plain.content, bounds=plain.bounds, now=now)
        if event is None:
            try:
                event = events.read_event(request.data, now=now)
            except FieldRefused as refused:
                base.refuse(refused)
        storing = EventWrite(tenant_id=tenant_id, event=event, now=now, sender=wire.sender(caller(request)))
        with write.effect(together=storing.look):
            result = storing.store()
            if result.status == "rejected":
                raise _refusal(result)
            if result.status == "created":
                return write.answer(Response(schema.sent_body(event, now), status=201))
            shown = _stored(caller(request), result)
            if shown is None:
                return write.answer(Response(schema.sent_body(event, now)))
            return write.answer(Response(schema.stored_body(shown)), read_scope=READ)


def _refusal(result: RowResult) -> ServiceError:
    first = result.errors[0]
    kind = EventIdReused if first.code == EventIdReused.code else InvalidInput
    return kind(first.detail, errors=result.errors)


def _stored(caller: Principal, result: RowResult) -> dict[str, Any] | None:
    """The stored event that a duplicate repeats, if the caller may read it."""
    if result.row is None or not caller.may(READ):
        return None
    stored = selectors.find_event(tenant_id=caller.tenant_id, pk=result.row)
    return stored if stored and caller.user_id in ("", stored["user_id"]) else None
