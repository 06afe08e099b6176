"""Shared behaviour of catalogue and event resources: reading, refusals, ETags."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import scope
from accounts.tokens.authentication import caller
from core.errors import InvalidInput
from core.http import etags, pagination
from core.http.json_body import BoundedJSONParser
from core.http.serializers import problems
from core.idempotency.decorator import Write, idempotent
from recommendations.api.v1 import fields as wire
from recommendations.catalog import validators
from recommendations.catalog.upsert import Check, Version, unconditional
from recommendations.catalog.validators import FieldRefused

# Makes a handler an idempotent write in the caller's tenant; it takes the keyword `write`.
idempotent_write = idempotent(scope.tenant)
READ_CATALOGUE = "catalog:read"


class ResourceView(APIView):
    """Takes JSON; `scope` maps each method that there is to the scope it demands."""

    parser_classes = [BoundedJSONParser]
    scope: Mapping[str, str] = {}

    def check_permissions(self, request: Request) -> None:
        """A method that there is not is 405, whatever the token may do."""
        if request.method not in self.scope:
            raise exceptions.MethodNotAllowed(str(request.method))
        super().check_permissions(request)


def reading(*names: str, **others: str) -> dict[str, str]:
    """The scope of reading, under each method that reads, with the scopes of other methods."""
    return {**{method: name for name in names for method in ("GET", "HEAD")}, **others}


def refuse(refused: FieldRefused) -> NoReturn:
    """Raises InvalidInput with what the reader found."""
    first = refused.errors[0]
    raise InvalidInput(f"{first.pointer or '/'}: {first.detail}", errors=refused.errors) from refused


def path_id(name: str, value: str) -> str:
    """The id in the path.

    Raises: InvalidInput.
    """
    try:
        return validators.identifier(value, f"/{name}")
    except FieldRefused as refused:
        refuse(refused)


def deliberate_id(name: str, value: str) -> str:
    """As `path_id`, for what cannot be undone.

    Raises: InvalidInput, also for an id that is most likely a mistake of the caller's program.
    """
    try:
        return validators.deliberate_identifier(value, f"/{name}")
    except FieldRefused as refused:
        refuse(refused)


def named_body(request: Request, name: str, value: str) -> dict[str, Any]:
    """The body, with the id from the path; one in the body must be the same.

    Raises: InvalidInput.
    """
    body = request.data
    if not isinstance(body, Mapping):
        raise pagination.invalid("", "not_an_object", "The body must be a JSON object.")
    if body.get(name, value) != value:
        raise pagination.invalid(f"/{name}", "other_id", f"Names another object than the path; leave {name} out.")
    return {**body, name: path_id(name, value)}


def tag(version: Version | None) -> str | None:
    """The ETag of a row's version."""
    return None if version is None else etags.etag((version.row, version.updated_at))


def precondition(request: Request) -> Check:
    """The check that a write must pass, from the request's headers."""
    if not etags.is_conditional(request):
        return unconditional
    return lambda version: etags.check_preconditions(request, tag=tag(version))


def written(request: Request, write: Write, *, body: Mapping[str, Any], tag: str) -> Response:
    """The answer to a change of what was there before: the object as it is now, for tokens that may read it.

    Others get its version alone (204): the body holds what they have not sent.
    """
    headers = {"ETag": tag}
    if not caller(request).may(READ_CATALOGUE):
        return write.answer(Response(status=204, headers=headers))
    return write.answer(Response(body, headers=headers), read_scope=READ_CATALOGUE)


def stamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def query_value(query: Mapping[str, str], name: str, reader: validators.Reader) -> Any:
    """A checked query parameter, None when it is not given.

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
WRITTEN = {204: OpenApiResponse(description="Written; the token may not read it.")}
NOT_MODIFIED = {304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match; no body.")}
IF_NONE_MATCH = OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER)
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Write only if this is still the ETag."
)
CREATE_ONLY = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="`*`: write only if there is none yet."
)
ETAG = OpenApiParameter("ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=True)
PAGE_PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": pagination.MAX_LIMIT, "default": 50}),
    OpenApiParameter("cursor", wire.CURSOR, description="`next` of the page before, with the same filters."),
    IF_NONE_MATCH,
    ETAG,
    OpenApiParameter(
        "Link", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200], description='`rel="next"`, if there is more.'
    ),
]


def path_parameter(name: str) -> OpenApiParameter:
    """An external id in the path."""
    return OpenApiParameter(name, wire.ID, OpenApiParameter.PATH)
