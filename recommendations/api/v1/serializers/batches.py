"""Batches: request and response bodies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from core.http.serializers import FieldErrorSerializer
from core.idempotency.models import MAX_BODY
from recommendations.api.v1.serializers import events as events_schema
from recommendations.api.v1.serializers import items as items_schema
from recommendations.api.v1.serializers import users as users_schema
from recommendations.catalog import batch_results
from recommendations.catalog.batch_results import RowResult

MAX_ROWS = 1000
ROW_STATUSES = ("created", "updated", "unchanged", "duplicate", "rejected")
MAX_IDS = MAX_BODY - 1024  # bytes; the summary needs the rest


class ItemsBatch(serializers.Serializer[Any]):
    """Items to create or replace."""

    items = serializers.ListField(child=items_schema.ItemRow(), max_length=MAX_ROWS)


class UsersBatch(serializers.Serializer[Any]):
    """End users to create or replace."""

    users = serializers.ListField(child=users_schema.EndUserRow(), max_length=MAX_ROWS)


class EventsBatch(serializers.Serializer[Any]):
    """Events to store."""

    events = serializers.ListField(child=events_schema.EventFields(), max_length=MAX_ROWS)


@extend_schema_serializer(component_name="RowResult")
class RowAnswer(serializers.Serializer[Any]):
    """The result of one row."""

    index = serializers.IntegerField(help_text="Position in the request, from 0")
    id = serializers.CharField(allow_null=True, help_text="item_id, user_id or event_id")
    status = serializers.ChoiceField(choices=ROW_STATUSES)
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # the contract names it


class BatchSummary(serializers.Serializer[Any]):
    """Number of rows by status; statuses without rows are omitted."""

    created = serializers.IntegerField(required=False)
    updated = serializers.IntegerField(required=False)
    unchanged = serializers.IntegerField(required=False)
    duplicate = serializers.IntegerField(required=False)
    rejected = serializers.IntegerField(required=False)


class BatchResult(serializers.Serializer[Any]):
    """Results of all rows: `results`, or `ids` when a result above 64 KiB is replayed."""

    results = RowAnswer(many=True, required=False, help_text="One per row, in order")
    ids = serializers.ListField(
        child=serializers.CharField(allow_null=True),
        required=False,
        allow_null=True,
        help_text="Only with `Idempotent-Abridged: true`: item_id, user_id or event_id of each row, in order; "
        "null if even these were too large",
    )
    summary = BatchSummary()


def result_body(results: Sequence[RowResult]) -> dict[str, Any]:
    """Row results as the API shows them."""
    rows = [
        {
            "index": index,
            "id": result.id,
            "status": result.status,
            "errors": [error.as_dict() for error in result.errors] if result.errors else [],
        }
        for index, result in enumerate(results)
    ]
    return {"results": rows, "summary": batch_results.count_by_status(results)}


def abridged(body: Mapping[str, Any]) -> dict[str, Any]:
    """The stored form of a result that is too large: its summary, and the ids if they fit."""
    ids = [row["id"] for row in body["results"]]
    return {"ids": ids if len(json.dumps(ids)) <= MAX_IDS else None, "summary": body["summary"]}


_WINDOW = {
    "pointer": "/items/1/available_until",
    "code": "bad_window",
    "detail": "Must be later than available_from.",
}


ITEMS_EXAMPLE = OpenApiExample(
    "Two films",
    value={
        "items": [
            {"item_id": "movie-1", "title": "Toy Story (1995)"},
            {
                "item_id": "movie-2",
                "available_from": "2026-12-01T00:00:00Z",
                "available_until": "2026-11-01T00:00:00Z",
            },
        ]
    },
    request_only=True,
)
USERS_EXAMPLE = OpenApiExample(
    "Two users", value={"users": [{"user_id": "42", "locale": "de-AT"}, {"user_id": "43"}]}, request_only=True
)
EVENTS_EXAMPLE = OpenApiExample("A purchase", value={"events": [events_schema.SENT]}, request_only=True)
RESULT_EXAMPLE = OpenApiExample(
    "One valid and one rejected row",
    value={
        "results": [
            {"index": 0, "id": "movie-1", "status": "created", "errors": []},
            {"index": 1, "id": "movie-2", "status": "rejected", "errors": [_WINDOW]},
        ],
        "summary": {"created": 1, "rejected": 1},
    },
    response_only=True,
)
