"""Batches: many rows in one call, with a result for each; valid rows are stored even if others are rejected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import browser_permissions
from accounts.tokens.authentication import caller
from core import clock, external_ids
from core.http import pagination
from core.idempotency.decorator import Write
from recommendations.api.v1 import base, fields
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import batches as schema
from recommendations.catalog import end_users, items, schemas
from recommendations.catalog.batch_results import RowResult
from recommendations.catalog.schemas import Notes
from recommendations.catalog.validators import FieldRefused
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.interactions.writing import plain_bodies
from recommendations.interactions.writing.batch_write import BatchWrite

Row = TypeVar("Row")


class ItemsBatchView(ResourceView):
    """Many items."""

    scope = {"POST": "catalog:write"}

    @extend_schema(
        operation_id="items_batch",
        summary="Create or replace many items",
        tags=["catalogue"],
        request=schema.ItemsBatch,
        responses={200: schema.BatchResult, **base.POST_PROBLEMS},
        examples=[schema.ITEMS_EXAMPLE, schema.RESULT_EXAMPLE],
    )
    @base.idempotent_write
    def post(self, request: Request, *, write: Write) -> Response:
        """Creates or changes up to 1,000 items. Omitted fields stay; null or an empty value clears a field.

        Rows with the same id are merged; fields of later rows take precedence. PUT replaces an item.
        """
        now, tenant_id = clock.now(), caller(request).tenant_id
        return _run(
            request,
            write,
            name="items",
            key="item_id",
            read=lambda raw, pointer, notes: schemas.read_item_row(raw, pointer, notes=notes),
            store=lambda rows: items.upsert_items(tenant_id=tenant_id, items=rows, now=now),
        )


class UsersBatchView(ResourceView):
    """Many end users."""

    scope = {"POST": "catalog:write"}

    @extend_schema(
        operation_id="users_batch",
        summary="Create or replace many users",
        tags=["users"],
        request=schema.UsersBatch,
        responses={200: schema.BatchResult, **base.POST_PROBLEMS},
        examples=[schema.USERS_EXAMPLE, schema.RESULT_EXAMPLE],
    )
    @base.idempotent_write
    def post(self, request: Request, *, write: Write) -> Response:
        """Creates or changes up to 1,000 users. Omitted fields stay; null clears a field.

        Rows with the same id are merged; fields of later rows take precedence. PUT replaces a user.
        """
        now, tenant_id = clock.now(), caller(request).tenant_id
        return _run(
            request,
            write,
            name="users",
            key="user_id",
            read=lambda raw, pointer, notes: schemas.read_end_user_row(raw, pointer, notes=notes),
            store=lambda rows: end_users.upsert_end_users(tenant_id=tenant_id, end_users=rows, now=now),
        )


class _PlainResponse(Response):
    """A response of printable texts and numbers, for which msgspec writes the bytes that DRF's renderer would write."""

    @property
    def rendered_content(self) -> bytes:  # type: ignore[override]  # DRF's renderers give bytes as well
        self["Content-Type"] = "application/json"
        return msgspec.json.encode(self.data)


class EventsBatchView(ResourceView):
    """Many events."""

    scope = {"POST": "events:write"}
    browser_users = {"POST": browser_permissions.users_in_events}

    @extend_schema(
        operation_id="events_batch",
        summary="Send many events",
        tags=["events"],
        request=schema.EventsBatch,
        responses={200: schema.BatchResult, **base.SEND_PROBLEMS},
        examples=[schema.EVENTS_EXAMPLE, schema.RESULT_EXAMPLE],
    )
    @base.idempotent_write
    def post(self, request: Request, *, write: Write) -> Response:
        """Stores up to 1,000 events; events that are stored already are duplicates.

        An event that reuses the `event_id` of another event of its user is rejected as `event_id_reused`.
        """
        now, tenant_id, sender = clock.now(), caller(request).tenant_id, fields.sender(caller(request))
        body = base.plain_json(request)
        plain = body and plain_bodies.read_many(body.content, bounds=body.bounds, most=schema.MAX_ROWS, now=now)
        if plain:
            storing = BatchWrite(tenant_id=tenant_id, events=plain, now=now, sender=sender)
            with write.effect(together=storing.look):
                results = [_placed("events", *numbered) for numbered in enumerate(storing.store())]
                return write.answer(_PlainResponse(schema.result_body(results)), compact=schema.abridged)
        return _run(
            request,
            write,
            name="events",
            key="event_id",
            read=lambda raw, pointer, notes: read_event(raw, pointer, now=now, notes=notes),
            store=lambda rows: record_events(tenant_id=tenant_id, events=rows, now=now, sender=sender),
        )


def _run(
    request: Request,
    write: Write,
    *,
    name: str,
    key: str,
    read: Callable[[Any, str, Notes], Row],
    store: Callable[[Sequence[Row]], list[RowResult]],
) -> Response:
    raws = _rows(request, name)
    results: list[RowResult | None] = [None] * len(raws)
    valid: list[tuple[int, Row]] = []
    omitted: dict[int, Notes] = {}
    for index, raw in enumerate(raws):
        try:
            valid.append((index, read(raw, f"/{name}/{index}", omitted.setdefault(index, []))))
        except FieldRefused as refused:
            results[index] = RowResult("rejected", _valid_id(raw, key), refused.errors)
    with write.effect():
        for (index, _), result in zip(valid, store([row for _, row in valid]), strict=True):
            placed = _placed(name, index, result)
            results[index] = replace(placed, errors=(*placed.errors, *omitted[index])) if omitted[index] else placed
        body = schema.result_body([result for result in results if result is not None])
        return write.answer(Response(body), compact=schema.abridged)


def _placed(name: str, index: int, result: RowResult) -> RowResult:
    """The result with pointers into the whole body."""
    if not result.errors:
        return result
    return replace(
        result, errors=tuple(replace(error, pointer=f"/{name}/{index}{error.pointer}") for error in result.errors)
    )


def _rows(request: Request, name: str) -> list[Any]:
    body = request.data
    if not isinstance(body, Mapping) or not isinstance(body.get(name), list):
        raise pagination.invalid(f"/{name}", "required", f'The body must be {{"{name}": [...]}}.')
    if len(body) > 1:
        raise pagination.invalid("", "unknown_field", f"Only {name} is allowed here.")
    rows: list[Any] = body[name]
    if len(rows) > schema.MAX_ROWS:
        detail = f"At most {schema.MAX_ROWS} rows per request; this has {len(rows)}. Split the batch."
        raise pagination.invalid(f"/{name}", "too_many", detail)
    return rows


def _valid_id(raw: Any, key: str) -> str | None:
    """The row's id; None if it is missing or invalid."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, str) and external_ids.find_error(value, "") is None else None
