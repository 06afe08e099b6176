"""Imports: files processed as jobs."""

import hashlib
from typing import Any, cast

from django.conf import settings
from django.http.request import UnreadablePostError
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tenancy import scope
from accounts.tokens.authentication import caller
from core import clock
from core.http import etags, pagination
from core.http.pagination import Pages
from core.http.serializers import problems
from core.http.wsgi_bodies import BodyTooLong
from core.idempotency.decorator import Write, idempotent
from core.quoting import quoted
from recommendations.api.v1 import base
from recommendations.api.v1.base import ResourceView
from recommendations.api.v1.serializers import import_requests
from recommendations.api.v1.serializers import imports as schema
from recommendations.api.v1.serializers import imports_examples as examples
from recommendations.imports import lifecycle, selectors, storage_quota, uploads
from recommendations.imports.models import Import
from recommendations.imports.uploads import Upload, UploadTooLarge

_READ, _WRITE = ("catalog:read", "events:read"), ("catalog:write", "events:write")


def _either(names: tuple[str, str]) -> Any:
    """The security requirement in the OpenAPI document: either scope, by the kind of rows."""
    return [{"oauth2": [name]} for name in names]


class _ImportsView(ResourceView):
    """Files of events require the scopes of events, others those of the catalogue."""

    names = _READ
    upload: Upload | None = None

    @property
    def scope(self) -> dict[str, str]:  # type: ignore[override]  # by the request
        """A scope that the token has, if any; `_demand` checks the kind once it is known."""
        return base.reading(self._word())

    def _word(self) -> str:
        user = getattr(getattr(self, "request", None), "user", None)
        first, second = self.names
        return second if user and not user.may(first) and user.may(second) else first

    def _demand(self, request: Request, job: Import) -> Import:
        name = self.names[job.kind == Import.Kind.EVENTS]
        if not caller(request).may(name):
            raise exceptions.PermissionDenied(f"The token lacks the scope {name}.")
        return job


def _spooled(request: Request) -> Upload:
    """Stores the file, after checking the query and headers."""
    view = cast(ImportsView, request.parser_context["view"])
    if view.upload is None:
        import_requests.read_wanted(request.query_params)
        form, encoding = import_requests.read_media_type(request.headers.get("Content-Type"), request.query_params)
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in {"gzip", "x-gzip", "identity", ""}:
            detail = f"Content-Encoding '{quoted(coding)}' is not supported; gzip is, and needs no header."
            raise exceptions.UnsupportedMediaType(coding, detail)
        tenant_id, length = caller(request).tenant_id, request.headers.get("Content-Length", "")
        expected = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        try:
            with storage_quota.reserve(tenant_id=tenant_id, size=expected) as most:
                view.upload = uploads.spool(
                    tenant_id=tenant_id,
                    read=request._request.read,  # noqa: SLF001  # DRF would read it into memory
                    form=form,
                    encoding=encoding,
                    max_bytes=most,
                )
        except UnreadablePostError as error:
            if isinstance(error.__cause__, BodyTooLong):
                raise UploadTooLarge(f"A file may have at most {settings.IMPORT_MAX_BYTES:,} bytes.") from error
            raise
    return view.upload


def _fingerprint(request: Request) -> bytes:
    upload = _spooled(request)
    return hashlib.sha256(f"{upload.format}:{upload.encoding}:".encode() + upload.digest).digest()


_idempotent_upload = idempotent(scope.tenant, body=_fingerprint)


class ImportsView(_ImportsView):
    """Starts imports."""

    names = _WRITE

    @property
    def scope(self) -> dict[str, str]:  # type: ignore[override]  # by the request
        """The scope for the kind of rows."""
        request = getattr(self, "request", None)
        kind = request.query_params.get("kind", "") if request else ""
        return {"POST": self.names[kind == Import.Kind.EVENTS]}

    @extend_schema(
        operation_id="import_start",
        summary="Import a file",
        tags=["imports"],
        auth=_either(_WRITE),
        parameters=[*import_requests.PARAMETERS, schema.LOCATION],
        request=import_requests.REQUEST,
        responses={202: schema.ImportAnswer, **problems(400, 401, 403, 422, 503), **schema.TOO_LARGE},
        examples=[examples.FILE_EXAMPLE, examples.ACCEPTED_EXAMPLE],
    )
    @_idempotent_upload
    def post(self, request: Request, *, write: Write) -> Response:
        """Accepts a file of items, users or events (CSV, NDJSON or JSON, plain or gzip) and answers before it is read.

        Valid rows are stored and invalid ones reported; importing the same file twice changes nothing.
        """
        wanted, upload = import_requests.read_wanted(request.query_params), _spooled(request)
        with write.effect():
            job = lifecycle.accept_upload(
                tenant_id=caller(request).tenant_id, options=wanted, upload=upload, now=clock.now()
            )
            headers = {"Location": f"{request.path}/{job.pk}"}
            return write.answer(Response(schema.body(job), status=202, headers=headers))

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Deletes a file that did not become an import, for example of a rejected or repeated request."""
        if self.upload is not None and (response.status_code != 202 or "Idempotent-Replayed" in response):
            uploads.discard(self.upload)
        return super().finalize_response(request, response, *args, **kwargs)


class ImportView(_ImportsView):
    """One import."""

    @extend_schema(
        operation_id="import_get",
        summary="Get an import and its progress",
        tags=["imports"],
        auth=_either(_READ),
        parameters=[base.IF_NONE_MATCH, base.ETAG],
        responses={200: schema.ImportAnswer, **base.NOT_MODIFIED, **base.READ_PROBLEMS},
        examples=[examples.SHOWN_EXAMPLE],
    )
    def get(self, request: Request, import_id: str) -> Response:
        """Progress of the import, and the outcomes of its rows so far."""
        job = self._demand(request, selectors.get_import(tenant_id=caller(request).tenant_id, import_id=import_id))
        shown = schema.body(job)
        return etags.conditional_response(request, tag=etags.etag(shown.items()), body=lambda: shown)


class ImportErrorsView(_ImportsView):
    """Rejected rows of an import."""

    @extend_schema(
        operation_id="import_errors_list",
        summary="List an import's rejected rows",
        tags=["imports"],
        auth=_either(_READ),
        parameters=base.PAGE_PARAMETERS,
        responses={200: schema.ImportErrorPage, **base.NOT_MODIFIED, **base.READ_PROBLEMS},
        examples=[examples.ERRORS_EXAMPLE],
    )
    def get(self, request: Request, import_id: str) -> Response:
        """Rejected rows and omitted attributes, by line; the first 10,000 are stored.

        `rows.rejected` counts all rejected rows.
        """
        query = pagination.known_parameters(request.query_params)
        job = self._demand(request, selectors.get_import(tenant_id=caller(request).tenant_id, import_id=import_id))
        pages = Pages.read(query, binding={"list": "import errors", "tenant": job.tenant_id, "import": job.pk})
        found = selectors.list_errors(job=job, after=pages.after, limit=pages.limit + 1)
        rows = found[: pages.limit]
        cursor = pages.cursor(selectors.position(rows[-1]) if len(found) > len(rows) else None)
        return etags.conditional_response(
            request,
            tag=etags.etag([*(row.pk for row in rows), cursor]),
            body=lambda: {"data": [schema.error_body(row) for row in rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )


class ImportCancelView(_ImportsView):
    """Cancels an import."""

    names = _WRITE

    @property
    def scope(self) -> dict[str, str]:  # type: ignore[override]  # by the request
        """The scope, for a write."""
        return {"POST": self._word()}

    @extend_schema(
        operation_id="import_cancel",
        summary="Cancel an import",
        tags=["imports"],
        auth=_either(_WRITE),
        request=None,
        responses={200: schema.ImportAnswer, **problems(401, 403, 404, 409, 422, 503)},
        examples=[examples.CANCELLED_EXAMPLE],
    )
    def post(self, request: Request, import_id: str) -> Response:
        """Cancels a waiting or running import; imported rows stay. 409 if it has already ended.

        Needs no Idempotency-Key: repeating it changes nothing.
        """
        tenant_id = caller(request).tenant_id
        job = self._demand(request, selectors.get_import(tenant_id=tenant_id, import_id=import_id))
        job = lifecycle.cancel_import(tenant_id=tenant_id, import_id=job.pk, now=clock.now())
        return Response(schema.body(job), headers={"Cache-Control": "no-store"})
