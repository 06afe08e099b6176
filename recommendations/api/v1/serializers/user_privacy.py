"""Serializers of exports and merges."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from recommendations.api.v1.base import stamp
from recommendations.api.v1.serializers.users import READ, EndUserAnswer
from recommendations.catalog import validators
from recommendations.privacy.merge import Merged


@extend_schema_serializer(component_name="ExportedUser")
class ExportedUser(EndUserAnswer):
    """The user, and the arrival of their newest event."""

    last_event_at = serializers.DateTimeField(allow_null=True)


class ExportedEvent(serializers.Serializer[Any]):
    """An event of the user."""

    event_id = serializers.CharField(allow_null=True)
    item_id = serializers.CharField()
    type = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    recommendation_id = serializers.CharField(allow_null=True)
    context = serializers.DictField(allow_null=True)  # type: ignore[assignment]  # the contract names it


class ExportedList(serializers.Serializer[Any]):
    """A stored list of the user, including those of older builds until they are deleted."""

    placement = serializers.CharField()
    build = serializers.IntegerField()
    version = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]  # the contract names it
    generated_at = serializers.DateTimeField()
    items = serializers.ListField(child=serializers.DictField())


class ExportedAIAnswer(serializers.Serializer[Any]):
    """A stored answer of an AI model about the user's list."""

    model = serializers.CharField()
    prompt_version = serializers.CharField()
    created_at = serializers.DateTimeField()
    content = serializers.DictField()


class ExportedAIRequest(serializers.Serializer[Any]):
    """A request to an AI provider about the user: kinds of facts and their number; the log holds no texts."""

    at = serializers.DateTimeField()
    origin = serializers.CharField()
    model = serializers.CharField()
    purpose = serializers.CharField()
    contents = serializers.DictField()


class ExportedStoredAnswer(serializers.Serializer[Any]):
    """A stored answer that names the user, by Idempotency-Key; with its body if it names no other user."""

    status = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    body = serializers.DictField(required=False)


@extend_schema_serializer(component_name="ExportedRelatedUsers")
class ExportedRelatedPeople(serializers.Serializer[Any]):
    """Number of similar users and when they were computed; their ids are personal data of others."""

    generated_at = serializers.DateTimeField()
    count = serializers.IntegerField()


class ExportedExposure(serializers.Serializer[Any]):
    """A week in which the user was part of a comparison, with the arm."""

    placement = serializers.CharField()
    arm = serializers.CharField()
    week = serializers.DateField(help_text="Its Monday, UTC")
    first_at = serializers.DateTimeField()
    click_at = serializers.DateTimeField(allow_null=True)
    conversion_at = serializers.DateTimeField(allow_null=True)


class ExportedImpression(serializers.Serializer[Any]):
    """A page of a list that was shown to the user; kept while clicks may be attributed to it."""

    recommendation_id = serializers.CharField()
    placement = serializers.CharField()
    arm = serializers.CharField(help_text="Empty: no comparison")
    source = serializers.CharField()  # type: ignore[assignment]  # the contract names it
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    item_ids = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="The first 20 of the page; null if not stored"
    )
    clicked = serializers.ListField(child=serializers.CharField(), help_text="Items of the page that were clicked")


class ExportedAIQuestion(serializers.Serializer[Any]):
    """A question about the user's list that waits for an AI provider's batch, as it will be sent."""

    created_at = serializers.DateTimeField()
    request = serializers.DictField()


class ExportedFormerId(serializers.Serializer[Any]):
    """Time at which another id was merged into this user; the other id is not kept."""

    merged_at = serializers.DateTimeField()


class ExportedStaffAction(serializers.Serializer[Any]):
    """A staff action on the user's entry in the admin."""

    at = serializers.DateTimeField()
    action = serializers.CharField(help_text="added, changed or deleted")


class EndUserExport(serializers.Serializer[Any]):
    """All data of a user."""

    exported_at = serializers.DateTimeField()
    user = ExportedUser()
    lists = ExportedList(many=True)
    related_people = ExportedRelatedPeople(many=True)
    exposures = ExportedExposure(many=True)
    impressions = ExportedImpression(many=True)
    events = ExportedEvent(many=True)
    ai_answers = ExportedAIAnswer(many=True)
    ai_requests = ExportedAIRequest(many=True)
    ai_questions = ExportedAIQuestion(many=True)
    former_ids = ExportedFormerId(many=True)
    staff_log = ExportedStaffAction(many=True)
    stored_answers = ExportedStoredAnswer(many=True)


@extend_schema_serializer(component_name="Merge")
class MergeFields(serializers.Serializer[Any]):
    """The user whose history is moved."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is no name that Python lets a class have."""
        return {"from": serializers.CharField(max_length=128, help_text="The user to remove")}


@extend_schema_serializer(component_name="MergeResult")
class MergeAnswer(serializers.Serializer[Any]):
    """Result of a merge: the numbers of moved rows, and when."""

    user_id = serializers.CharField()
    merged_at = serializers.DateTimeField()
    rows = serializers.DictField(
        child=serializers.IntegerField(), help_text="Moved events; deleted lists and AI responses"
    )


def read_merge(raw: Any) -> str:
    """The user whose history is moved.

    Raises: FieldRefused.
    """
    if not isinstance(raw, Mapping):
        raise validators.refusal("", "not_an_object", "The body must be a JSON object.")
    for name in raw:
        if name != "from":
            raise validators.refusal(f"/{name}"[:200], "unknown_field", "Unknown field; known is from.")
    if "from" not in raw:
        raise validators.refusal("/from", "required", "Name the user whose history is to be moved.")
    return validators.deliberate_identifier(raw["from"], "/from")


def merge_body(user_id: str, merged: Merged) -> dict[str, Any]:
    """A merge as the API answers it. It does not name the removed user, since the answer is stored."""
    return {"user_id": user_id, "merged_at": stamp(merged.merged_at), "rows": merged.rows}


MERGE_EXAMPLE = OpenApiExample("A visitor who signed in", value={"from": "anon-1"}, request_only=True)
MERGED_EXAMPLE = OpenApiExample(
    "Moved rows",
    value={
        "user_id": "42",
        "merged_at": "2026-11-23T08:30:00.250000Z",
        "rows": {
            "lists": 1,
            "related_people": 1,
            "exposures": 1,
            "impressions": 3,
            "events": 12,
            "ai_answers": 0,
            "ai_requests": 0,
            "ai_questions": 0,
            "staff_log": 0,
        },
    },
    response_only=True,
)
EXPORT_EXAMPLE = OpenApiExample(
    "A subscriber",
    value={
        "exported_at": "2026-11-23T08:30:00.250000Z",
        "user": {**READ, "last_event_at": "2026-11-22T20:15:00Z"},
        "lists": [
            {
                "placement": "home",
                "build": 7,
                "version": 1,
                "source": "model",
                "generated_at": "2026-11-23T03:00:41Z",
                "items": [
                    {
                        "item_id": "1198",
                        "rank": 1,
                        "score": 3.41,
                        "reason": "Because you liked Star Wars",
                        "evidence": [{"item_id": "260"}],
                    }
                ],
            }
        ],
        "related_people": [{"generated_at": "2026-11-23T03:00:41Z", "count": 50}],
        "exposures": [],
        "impressions": [
            {
                "recommendation_id": "r0f3a8c1d2b4e5f60718293a4b5c6d7e8",
                "placement": "home",
                "arm": "",
                "source": "model",
                "first_at": "2026-11-22T20:14:02Z",
                "last_at": "2026-11-22T20:14:02Z",
                "item_ids": ["1196", "1210", "2571"],
                "clicked": ["1210"],
            }
        ],
        "events": [
            {
                "event_id": None,
                "item_id": "260",
                "type": "rating",
                "value": 4.5,
                "occurred_at": "2026-11-22T20:14:59Z",
                "received_at": "2026-11-22T20:15:00Z",
                "recommendation_id": None,
                "context": None,
            }
        ],
        "ai_answers": [],
        "ai_requests": [],
        "ai_questions": [],
        "former_ids": [],
        "staff_log": [],
        "stored_answers": [],
    },
    response_only=True,
)
