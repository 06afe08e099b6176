"""The shape of batches on the wire."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from core.http.serializers import FieldErrorSerializer
from core.idempotency.models import MAX_BODY
from recommendations.api.v1.serializers import events as events_schema
from recommendations.api.v1.serializers import items as items_schema
from recommendations.api.v1.serializers import users as users_schema
from recommendations.catalog import batch_results
from recommendations.catalog.batch_results import Outcome

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


class RowResult(serializers.Serializer[Any]):
    """What became of one row."""

    index = serializers.IntegerField(help_text="Position in the request, from 0")
    id = serializers.CharField(allow_null=True, help_text="item_id, user_id or event_id")
    status = serializers.ChoiceField(choices=ROW_STATUSES)
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # the contract names it


class BatchSummary(serializers.Serializer[Any]):
    """Rows by status. A status that no row has is left out."""

    created = serializers.IntegerField(required=False)
    updated = serializers.IntegerField(required=False)
    unchanged = serializers.IntegerField(required=False)
    duplicate = serializers.IntegerField(required=False)
    rejected = serializers.IntegerField(required=False)


class BatchResult(serializers.Serializer[Any]):
    """What became of every row: `results`, or `ids` in a replay of a result that was larger than 64 KiB."""

    results = RowResult(many=True, required=False, help_text="One for each row, in their order")
    ids = serializers.ListField(
        child=serializers.CharField(allow_null=True),
        required=False,
        allow_null=True,
        help_text="Only with `Idempotent-Abridged: true`: each row's item_id, user_id or event_id, in their order; "
        "null where even they were too large",
    )
    summary = BatchSummary()


def result_body(told: Sequence[Outcome]) -> dict[str, Any]:
    """What became of every row, as the API shows it."""
    rows = [
        {
            "index": index,
            "id": outcome.id,
            "status": outcome.status,
            "errors": [error.as_dict() for error in outcome.errors],
        }
        for index, outcome in enumerate(told)
    ]
    return {"results": rows, "summary": batch_results.summary(told)}


def abridged(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a result that is too large to be kept whole: the summary, and the ids if they fit."""
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
    "Two people", value={"users": [{"user_id": "42", "locale": "de-AT"}, {"user_id": "43"}]}, request_only=True
)
EVENTS_EXAMPLE = OpenApiExample("A purchase", value={"events": [events_schema.SENT]}, request_only=True)
RESULT_EXAMPLE = OpenApiExample(
    "One good, one bad row",
    value={
        "results": [
            {"index": 0, "id": "movie-1", "status": "created", "errors": []},
            {"index": 1, "id": "movie-2", "status": "rejected", "errors": [_WINDOW]},
        ],
        "summary": {"created": 1, "rejected": 1},
    },
    response_only=True,
)
