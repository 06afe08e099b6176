"""Idempotent write methods of DRF views.

    @extend_schema(...)
    @idempotent(scope.tenant)
    def put(self, request: Request, item_id: str, *, write: Write) -> Response:
        row = ...                                   # read and check the input: a refusal gives the key back
        with write.effect():                        # one transaction: one domain call and the stored answer
            item, created = items.put_item(...)
            return write.answer(Response(body(item), status=201 if created else 200))

With or without the header, `effect` is one transaction in the tenant's scope: an error raised inside changes nothing.
Only what `answer` was given is stored and replayed. Every other answer means that nothing was done: it is not stored,
and the key may be used again at once.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, cast

import structlog
from django.db import Error, OperationalError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from psycopg.errors import LockNotAvailable
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.errors import ServiceError
from core.http import problem
from core.idempotency import claims, metrics
from core.idempotency.claims import (
    Claim,
    Claimed,
    ClaimLost,
    ClaimWithin,
    Erased,
    Mismatch,
    Replay,
    Running,
    Scope,
    StoredAnswer,
)
from core.idempotency.keys import fingerprint, read_key
from core.idempotency.models import MAX_BODY
from core.idempotency.openapi import documented
from core.principal import Principal

TenantScope = Callable[..., AbstractContextManager[None]]
Compact = Callable[[Any], Any]
# Headers that say something about the effect. All others belong to the request at hand and are made anew.
STORED_HEADERS = ("Content-Type", "Cache-Control", "ETag", "Location")
REPLAYED = "Idempotent-Replayed"
ABRIDGED = "Idempotent-Abridged"
_NOT_SHOWN = {"detail": "This write succeeded. Its answer contains data that this token may not read."}
_NOT_KEPT = {"detail": "This write succeeded. Its answer was larger than 64 KiB and was not stored."}
_log = structlog.get_logger(__name__)


class Write:
    """One run of a write: what its handler does the effect and the answer with."""

    def __init__(
        self, *, view: APIView, request: Request, scope: Scope, claim: Claim | None, within: ClaimWithin | None = None
    ) -> None:
        self._view, self._request, self._scope, self._claim, self._within = view, request, scope, claim, within
        self._open = False
        self._answered: Response | None = None
        self.kept: Response | None = None  # the answer, once it is committed with its effect

    @contextmanager
    def effect(self, *, together: Callable[[], None] | None = None) -> Iterator[None]:
        """One transaction in the tenant's scope. Give `answer` the response inside, and return it from there.

        `together` executes the first statements of the effect; they are sent with those that open the transaction.

        Raises: RuntimeError for a second effect, or one without an answer; ClaimLost. All of them roll back.
        """
        if self._open or self._answered is not None:
            raise RuntimeError("A write has one effect.")
        with self._opened(together):
            if self._within is not None:
                outcome = self._within.outcome()
                if not isinstance(outcome, Claimed):
                    raise _NotClaimed(outcome)
                self._claim = outcome.claim
            self._open = True
            try:
                yield
            finally:
                self._open = False
            answered = self._require_answer()
        self.kept = answered

    def _opened(self, together: Callable[[], None] | None) -> AbstractContextManager[None]:
        within = self._within
        if within is None and together is None:
            return self._scope()

        def send() -> None:
            for first in (within.send if within is not None else None, together):
                if first is not None:
                    first()

        return self._scope(together=send)

    def answer(self, response: Response, *, compact: Compact | None = None, read_scope: str = "") -> Response:
        """Renders the response and stores it under the key, with the effect. Give it back as it is.

        An answer that shows more than was sent names the `read_scope` that lets its caller see that; whoever repeats
        the request with a token without it is only told that it took effect.
        A body above 64 KiB is stored as what `compact` makes of the response's data: a summary and the ids.
        Raises: RuntimeError outside effect(), or for a refusal (raise it instead); ClaimLost.
        """
        if not self._open or self._answered is not None:
            raise RuntimeError("answer() belongs into effect(), once: both are committed or neither is.")
        if response.status_code >= 400:
            raise RuntimeError("Raise a refusal, so that its effect is rolled back.")
        self._render(response)
        if self._claim is not None:
            claims.complete(self._claim, answer=replace(_stored(response, compact), read_scope=read_scope))
        self._answered = response
        return response

    def _require_answer(self) -> Response:
        if self._answered is None:
            raise RuntimeError("An effect must be answered: `return write.answer(Response(...))` inside effect().")
        return self._answered

    def _render(self, response: Any) -> None:
        """As DRF does it later: then it finds the bytes made, and they are the ones that were stored."""
        response.accepted_renderer = self._request.accepted_renderer
        response.accepted_media_type = self._request.accepted_media_type
        response.renderer_context = self._view.get_renderer_context()
        response.render()


class _NotClaimed(Exception):
    """The key could not be claimed in the transaction of the effect."""

    def __init__(self, outcome: claims.ClaimResult) -> None:
        self.outcome = outcome


def idempotent(
    scope: TenantScope, *, body: Callable[[Request], bytes] | None = None, one_transaction: bool = False
) -> Callable[[Any], Any]:
    """Makes a handler an idempotent write: it takes the keyword `write`, and DRF sees it without.

    `scope` opens the database scope of a tenant in a transaction. `body` gives what stands for the body in the
    fingerprint, where the body itself is too large to be read at once. With `one_transaction` the key is claimed in
    the transaction of the effect, for effects that take no longer than a concurrent request may wait.
    """

    def decorate(handler: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(handler)
        def handle(view: APIView, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            caller = cast(Principal, request.user)
            in_scope = functools.partial(scope, caller.tenant_id)
            run = functools.partial(handler, view, request, *args, **kwargs)
            header = request.META.get("HTTP_IDEMPOTENCY_KEY")
            if header is None:
                return _run(run, Write(view=view, request=request, scope=in_scope, claim=None), request, in_scope, None)
            asked: dict[str, Any] = {
                "tenant_id": caller.tenant_id,
                "client_id": caller.key_space,
                "key": read_key(header),
                "fingerprint": _fingerprint(request, body),
                "now": clock.now(),
            }
            if one_transaction:
                within = ClaimWithin(**asked)
                write = Write(view=view, request=request, scope=in_scope, claim=None, within=within)
                return _run_within(run, write, request, functools.partial(claims.look_up, scope=in_scope, **asked))
            outcome = claims.claim(scope=in_scope, **asked)
            if not isinstance(outcome, Claimed):
                return _answer_without_running(request, outcome)
            write = Write(view=view, request=request, scope=in_scope, claim=outcome.claim)
            return _run(run, write, request, in_scope, outcome.claim)

        return documented(handle)

    return decorate


def _run(
    handler: Callable[..., HttpResponseBase], write: Write, request: Request, scope: Scope, claim: Claim | None
) -> HttpResponseBase:
    try:
        response = handler(write=write)
        if response is not write.kept and (write.kept is not None or response.status_code < 400):
            raise RuntimeError("An idempotent write returns what answer() gave it inside effect(): that is stored.")
    except ClaimLost:
        # Slower than its lease, and overtaken: the other run's effect holds, this one's was rolled back.
        _log.warning("idempotency_claim_lost", route=request.resolver_match.view_name if request.resolver_match else "")
        return _running(request, Running(1))
    finally:
        if claim is not None and write.kept is None:
            _release(claim, scope)
    return response


def _run_within(
    run: Callable[..., HttpResponseBase],
    write: Write,
    request: Request,
    look_up: Callable[[], claims.ClaimResult | None],
) -> HttpResponseBase:
    """Runs a handler that claims its key with its effect. What is refused is first compared with the key's request."""
    try:
        return _run(run, write, request, nullcontext, None)
    except _NotClaimed as refused:
        return _answer_without_running(request, refused.outcome)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return _running(request, Running(1))
    except (ServiceError, APIException):
        outcome = look_up()
        if outcome is None:
            raise
        return _answer_without_running(request, outcome)


def _release(claim: Claim, scope: Scope) -> None:
    try:
        claims.release(claim, scope=scope)
    except Error as error:
        # The database is away: the lease ends by itself.
        _log.warning("idempotency_not_released", error=str(error))


def _fingerprint(request: Request, body: Callable[[Request], bytes] | None) -> bytes:
    return fingerprint(
        method=str(request.method),
        path=request.path,
        query=request.META.get("QUERY_STRING", ""),
        body=body(request) if body else request.body,
    )


def _stored(response: Response, compact: Compact | None) -> StoredAnswer:
    headers = {name: response[name] for name in STORED_HEADERS if name in response}
    if len(response.content) <= MAX_BODY:
        return StoredAnswer(response.status_code, headers, response.content)
    abridged = _rendered(response, compact(response.data)) if compact else None
    if abridged is None or len(abridged) > MAX_BODY:
        abridged = _rendered(response, _NOT_KEPT)
    # An ETag would name bytes that were not kept.
    kept = {name: value for name, value in headers.items() if name != "ETag"}
    return StoredAnswer(response.status_code, {**kept, ABRIDGED: "true"}, abridged)


def _rendered(response: Any, data: Any) -> bytes:
    rendered: bytes = response.accepted_renderer.render(data, response.accepted_media_type, response.renderer_context)
    return rendered


def _answer_without_running(request: Request, outcome: claims.ClaimResult) -> HttpResponseBase:
    match outcome:
        case Replay(answer):
            return _replayed(request, answer)
        case Running():
            return _running(request, outcome)
        case Mismatch():
            metrics.MISMATCHES.inc()
            detail = "This Idempotency-Key was sent before with another method, path, query or body. Use a new key."
            return _refused(request, 422, "idempotency_key_reused", detail)
        case Erased():
            detail = "This write succeeded earlier; its answer named a user who has been erased since, and was deleted."
            return _refused(request, 410, "idempotent_answer_erased", detail)
    raise AssertionError(outcome)


def _replayed(request: Request, answer: StoredAnswer) -> HttpResponseBase:
    metrics.REPLAYED.inc()
    if answer.read_scope and not cast(Principal, request.user).may(answer.read_scope):
        return Response(_NOT_SHOWN, status=answer.status, headers={REPLAYED: "true", ABRIDGED: "true"})
    response = HttpResponse(answer.body, status=answer.status, headers={**answer.headers, REPLAYED: "true"})
    if "Content-Type" not in answer.headers:
        del response["Content-Type"]  # Django's default; the first answer had no body
    return response


def _running(request: Request, running: Running) -> Response:
    metrics.CONFLICTS.inc()
    detail = "The first request with this Idempotency-Key is still running. Repeat it after Retry-After seconds."
    response = _refused(request, 409, "idempotency_key_in_use", detail)
    response["Retry-After"] = str(running.retry_after_seconds)
    return response


def _refused(request: Request, status: int, code: str, detail: str) -> Response:
    body = problem.document(status=status, code=code, detail=detail, request=request._request)  # noqa: SLF001
    return Response(body, status=status, headers={"Cache-Control": "no-store"}, content_type=problem.CONTENT_TYPE)
