"""Idempotent writes in the OpenAPI document: the mark, the header, and the errors of a key."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema

from core.http.problem import CONTENT_TYPE
from core.http.serializers import Problem
from core.idempotency.keys import PATTERN
from core.idempotency.models import MAX_KEY

Handler = TypeVar("Handler", bound=Callable[..., Any])

MARK = "x-idempotent-write"
_PARAMETERS = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "pattern": PATTERN},
        OpenApiParameter.HEADER,
        description=f"Your key for this write, such as a UUID: 1 to {MAX_KEY} printable ASCII characters, bare or "
        "quoted. The same request with the same key takes effect once and is answered as the first time, for 24 hours, "
        "within this client.",
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 201, 202, 204],
        description="This is the stored answer of the first request; nothing was done now.",
    ),
    OpenApiParameter(
        "Idempotent-Abridged",
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 201, 202],
        description="The first answer was larger than 64 KiB; this is its stored summary.",
    ),
]
_RETRY_AFTER = {
    "schema": {"type": "integer", "minimum": 1},
    "description": "Seconds, when the first request with this key is still running.",
}
_REFUSALS = {
    "400": f"The Idempotency-Key is not 1 to {MAX_KEY} printable ASCII characters.",
    "409": "A request with this Idempotency-Key is still running; repeat it after Retry-After.",
    "410": "The stored answer of this Idempotency-Key named a user who has been erased since.",
    "422": "This Idempotency-Key belongs to another request.",
}


def documented(handler: Handler) -> Handler:
    """Marks the handler's operation. `extend_schema` may stand above or below, and say more of the same statuses."""
    decorated: Any = extend_schema(parameters=_PARAMETERS)(handler)
    decorated.kwargs["schema"] = type("IdempotentSchema", (_Marked, decorated.kwargs["schema"]), {})
    return handler


class _Marked:
    """Completes the operation after everything that describes it was gathered."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation with the mark and the refusals of a key."""
        schema: Any = super()
        operation: dict[str, Any] | None = schema.get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation[MARK] = True
        problem = {"schema": schema.resolve_serializer(Problem, "response").ref}
        for status, meaning in _REFUSALS.items():
            response = operation["responses"].setdefault(status, {"description": ""})
            response["description"] = f"{response['description']} {meaning}".strip()
            response.setdefault("content", {}).setdefault(CONTENT_TYPE, problem)
        operation["responses"]["409"].setdefault("headers", {}).setdefault("Retry-After", _RETRY_AFTER)
        return operation
