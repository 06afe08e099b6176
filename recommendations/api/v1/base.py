"""Shared behaviour of catalogue and event resources: reading, refusals, ETags."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import scope
from accounts.tokens.authentication import caller
from core.errors import InvalidInput
from core.http import body_limits, etags, pagination
from core.http.json_body import BoundedJSONParser
from core.http.json_text import Bounds
from core.http.serializers import problems
from core.idempotency.decorator import Write, idempotent
from recommendations.api.v1 import fields as wire
from recommendations.catalog import validators
from recommendations.catalog.upsert import Check, Version, unconditional
from recommendations.catalog.validators import FieldRefused

# Makes a handler an idempotent write in the caller's tenant; passes it the keyword `write`.
idempotent_write = idempotent(scope.tenant)
# The same, for effects of milliseconds: the key is claimed in their transaction.
quick_idempotent_write = idempotent(scope.tenant, one_transaction=True)
READ_CATALOGUE = "catalog:read"
_PLAIN_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})


class ResourceView(APIView):
    """A view with JSON bodies; `scope` maps each supported method to its required scope."""

    parser_classes = [BoundedJSONParser]
    scope: Mapping[str, str] = {}

    def check_permissions(self, request: Request) -> None:
        """Answers 405 to unsupported methods, whatever the token's scopes."""
        if request.method not in self.scope:
            raise exceptions.MethodNotAllowed(str(request.method))
        super().check_permissions(request)


def reading(*names: str, **others: str) -> dict[str, str]:
    """The scopes by method: `names` for GET and HEAD, and those of other methods."""
    return {**{method: name for name in names for method in ("GET", "HEAD")}, **others}


def refuse(refused: FieldRefused) -> NoReturn:
    """Raises InvalidInput with the reader's errors."""
    first = refused.errors[0]
    raise InvalidInput(f"{first.pointer or '/'}: {first.detail}", errors=refused.errors) from refused


class PlainJSON(NamedTuple):
    """The bytes of a JSON body as they came, and the bounds for their parser."""

    content: bytes
    bounds: Bounds


def plain_json(request: Request) -> PlainJSON | None:
    """The body of a client's request, if it is plain JSON in UTF-8 of an accepted size; None says nothing about it."""
    plain = request.META.get("CONTENT_TYPE") in _PLAIN_JSON and "HTTP_CONTENT_ENCODING" not in request.META
    if not plain or caller(request).user_id:
        return None
    most = body_limits.max_bytes(request.path_info)
    content: bytes = request.body
    return PlainJSON(content, Bounds.for_body_size(most)) if len(content) <= most else None


def path_id(name: str, value: str) -> str:
    """Checks the id in the path.

    Raises: InvalidInput.
    """
    try:
        return validators.identifier(value, f"/{name}")
    except FieldRefused as refused:
        refuse(refused)


def deliberate_id(name: str, value: str) -> str:
    """Checks the id in the path of an irreversible operation.

    Raises: InvalidInput, also for ids that are probably a bug of the caller, such as `undefined`.
    """
    try:
        return validators.deliberate_identifier(value, f"/{name}")
    except FieldRefused as refused:
        refuse(refused)


def named_body(request: Request, name: str, value: str) -> dict[str, Any]:
    """The body with the id from the path; an id in the body must be equal.

    Raises: InvalidInput.
    """
    body = request.data
    if not isinstance(body, Mapping):
        raise pagination.invalid("", "not_an_object", "The body must be a JSON object.")
    if body.get(name, value) != value:
        detail = f"`{name}` does not match the id in the URL. Omit it or make them equal."
        raise pagination.invalid(f"/{name}", "other_id", detail)
    return {**body, name: path_id(name, value)}


def tag(version: Version | None) -> str | None:
    """The ETag of a row's version."""
    return None if version is None else etags.etag((version.row, version.updated_at))


def precondition(request: Request) -> Check:
    """The precondition of a write, from the request's headers."""
    if not etags.is_conditional(request):
        return unconditional
    return lambda version: etags.check_preconditions(request, tag=tag(version))


def written(request: Request, write: Write, *, body: Mapping[str, Any], tag: str) -> Response:
    """The response to a change: the new state for tokens that may read it.

    Other tokens get only its version (204), as the body contains more than they have sent.
    """
    headers = {"ETag": tag}
    if not caller(request).may(READ_CATALOGUE):
        return write.answer(Response(status=204, headers=headers))
    return write.answer(Response(body, headers=headers), read_scope=READ_CATALOGUE)


def stamp(moment: datetime | None) -> str | None:
    """The time as RFC 3339 in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def query_value(query: Mapping[str, str], name: str, reader: validators.Reader) -> Any:
    """A checked query parameter; None if it is missing.

    Raises: InvalidInput.
    """
    if name not in query:
        return None
    try:
        return reader(query[name], f"/{name}")
    except FieldRefused as refused:
        refuse(refused)


READ_PROBLEMS = problems(401, 403, 404, 422, 503)
USAGE_PROBLEMS = problems(401, 403, 503)
LIST_PROBLEMS = problems(401, 403, 422, 503)
PUT_PROBLEMS = problems(400, 401, 403, 412, 413, 415, 422, 503)
PATCH_PROBLEMS = problems(400, 401, 403, 404, 412, 413, 415, 422, 503)
DELETE_PROBLEMS = problems(401, 403, 404, 412, 422, 503)
MERGE_PROBLEMS = problems(400, 401, 403, 404, 413, 415, 422, 503)
POST_PROBLEMS = problems(400, 401, 403, 413, 415, 422, 503)
SEND_PROBLEMS = problems(400, 401, 403, 409, 413, 415, 422, 503)
WRITTEN = {204: OpenApiResponse(description="Written. The token lacks the scope to read it.")}
NOT_MODIFIED = {304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match. No body.")}
IF_NONE_MATCH = OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER)
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Write only if this is the current ETag."
)
CREATE_ONLY = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="`*`: write only if it does not exist yet."
)
ETAG = OpenApiParameter("ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=True)
PAGE_PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": pagination.MAX_LIMIT, "default": 50}),
    OpenApiParameter("cursor", wire.CURSOR, description="`next` of the previous page, with the same filters."),
    IF_NONE_MATCH,
    ETAG,
    OpenApiParameter(
        "Link", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200], description='`rel="next"`, if there is more.'
    ),
]


def path_parameter(name: str) -> OpenApiParameter:
    """The parameter for an external id in the path."""
    return OpenApiParameter(name, wire.ID, OpenApiParameter.PATH)
