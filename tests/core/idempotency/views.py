"""Write views for tests only, with an effect that can be counted and stages at which a test can step in."""

from typing import Any, cast

from django.db import connection
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import scope
from core.errors import InvalidInput, NotFound
from core.http.serializers import WRITE_PROBLEMS
from core.idempotency.decorator import Write, idempotent
from core.principal import Principal

TABLE = "test_effect"


def at_stage(_stage: str) -> None:
    """A test puts its own function here."""


def take_effect(tenant_id: int, note: str) -> int:
    """One more row."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (tenant_id, note) VALUES (%s, %s) RETURNING id", [tenant_id, note])
        return int(cursor.fetchone()[0])


def tenant(request: Request) -> int:
    """The caller."""
    return cast(Principal, request.user).tenant_id


def body(request: Request) -> dict[str, Any]:
    """The request's body."""
    return cast(dict[str, Any], request.data)


class EffectsView(APIView):
    """Takes effect as a write view should."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    @extend_schema(operation_id="effect_post", request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT})
    @idempotent(scope.tenant)
    def post(self, request: Request, *, write: Write) -> Response:
        """A row, answered with its number."""
        if "note" not in body(request):
            raise InvalidInput("note is required")
        at_stage("claimed")
        with write.effect():
            number = take_effect(tenant(request), body(request)["note"])
            at_stage("effected")
            headers = {"ETag": f'"{number}"', "Location": f"/effects/{number}", "X-Number": str(number)}
            response = write.answer(Response({"number": number, "é": 1.5}, status=201, headers=headers))
            at_stage("answered")
        at_stage("committed")
        return response

    @idempotent(scope.tenant)
    @extend_schema(operation_id="effect_delete", responses={204: None, **WRITE_PROBLEMS})
    def delete(self, request: Request, *, write: Write) -> Response:
        """An effect without a body in its answer; a refusal after the effect takes it back."""
        with write.effect():
            take_effect(tenant(request), "deleted")
            if "missing" in request.query_params:
                raise NotFound
            return write.answer(Response(status=204))


class LargeView(APIView):
    """Answers as many characters as are asked for."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    @idempotent(scope.tenant)
    def post(self, request: Request, *, write: Write) -> Response:
        """Compacts to the ids, unless the request wants none."""
        with write.effect():
            number = take_effect(tenant(request), "large")
            data = {"ids": [number], "padding": "x" * body(request)["size"]}
            compact = {"ids": lambda full: {"ids": full["ids"]}, "same": lambda full: full, "none": None}
            return write.answer(
                Response(data, headers={"ETag": '"whole"'}), compact=compact[body(request).get("compact", "ids")]
            )


class StreamView(APIView):
    """Its body is not read at once; a digest stands for it."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    @idempotent(scope.tenant, body=lambda request: b"digest")
    def post(self, request: Request, *, write: Write) -> Response:
        """A row."""
        with write.effect():
            return write.answer(Response({"number": take_effect(tenant(request), "stream")}))


class CarelessView(APIView):
    """A view that must not be written: it commits the effect first, and stores the answer afterwards."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    @idempotent(scope.tenant)
    def post(self, request: Request, *, write: Write) -> Response:
        """Two transactions."""
        number = take_effect(tenant(request), "careless")
        at_stage("effected")
        with write.effect():
            return write.answer(Response({"number": number}, status=201))


class WrongView(APIView):
    """Programming errors, by name."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    @idempotent(scope.tenant)
    def post(self, request: Request, *, write: Write) -> Any:
        """Each must be loud."""
        response = Response({"wrong": True})
        match body(request)["wrong"]:
            case "no effect":
                return response
            case "no answer":
                with write.effect():
                    take_effect(tenant(request), "wrong")
            case "answer outside":
                return write.answer(response)
            case "refusal answered":
                with write.effect():
                    return write.answer(Response(status=404))
            case "two effects":
                with write.effect():
                    write.answer(response)
                with write.effect():
                    take_effect(tenant(request), "wrong")
            case "two answers":
                with write.effect():
                    write.answer(response)
                    write.answer(response)
            case "another response":
                with write.effect():
                    write.answer(response)
                return Response({"wrong": False})
        return response


urlpatterns = [
    path("effects", EffectsView.as_view()),
    path("large", LargeView.as_view()),
    path("stream", StreamView.as_view()),
    path("careless", CarelessView.as_view()),
    path("wrong", WrongView.as_view()),
]
