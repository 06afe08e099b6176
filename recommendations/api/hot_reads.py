"""The short way of the usual reads: a user's list and a batch of them, from Redis, without Django's layers.

Each request is looked at before Django sees it. One that is plain in every respect (`plain_requests`), from a caller
whose token was verified before, is charged and read in one round trip and answered with ready bytes. Everything else
goes the ordinary way, with what has been charged and read (`plan_limits.Charge`): refusals, errors, first tokens,
browsers, options, lists that are not in Redis or need work. So this module decides nothing that the views do not, and
its answers are theirs, header by header (tests/recommendations/api/test_hot_reads.py).
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import structlog

from accounts.limits import plan_limits
from accounts.limits.plan_limits import Charge
from accounts.tenancy import flags
from accounts.tokens import authentication
from core import clock, external_ids, tracing
from core.errors import Unavailable
from core.http import etags, request_log
from core.http.plain_requests import PlainRequests
from core.metrics import REQUEST_SECONDS
from core.principal import Principal
from core.ratelimit import Outcome
from recommendations.api.v1.list_options import CACHE_HEADERS
from recommendations.attribution.impression_buffer import impression_buffer
from recommendations.cache import list_cache, withdrawn_items
from recommendations.metrics import CACHE_READS
from recommendations.placements.models import HOME
from recommendations.serving.page import ready_pages
from recommendations.serving.page.ready_pages import ReadyPage

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
SCOPE = "recommendations:read"
ONE, BATCH = "/api/v1/users/", "/api/v1/recommendations/batch"
_END = "/recommendations"
_MOST_USERS, _MOST_BYTES = 100, 32_768
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ROUTES = {"GET": "user-recommendations", "POST": "recommendations-batch"}
_ALLOW = {"GET": ("Allow", "GET, HEAD, OPTIONS"), "POST": ("Allow", "POST, OPTIONS")}
_OK, _NOT_MODIFIED = "200 OK", "304 Not Modified"
_JSON = ("Content-Type", "application/json")
_log = structlog.get_logger("docent.request")


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    """A body with users and no option."""

    user_ids: list[str]


_decoder = msgspec.json.Decoder(_Batch)


class HotReads:
    """The WSGI application in front of `application`, which answers whatever this does not."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._plain = PlainRequests()
        self._constant = list(CACHE_HEADERS.items())
        self._seconds = {
            (status, method): REQUEST_SECONDS.labels(route, method, status[:3])
            for method, route in _ROUTES.items()
            for status in (_OK, _NOT_MODIFIED)
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answers, or hands the request on."""
        try:
            answered = self._answered(environ, start_response)
        except Exception:  # noqa: BLE001  # whatever it is, the ordinary way answers, and takes over the charge
            _log.exception("hot_read_failed")
            answered = None
        return self._application(environ, start_response) if answered is None else answered

    def _answered(self, environ: Environ, start_response: StartResponse) -> list[bytes] | None:
        path = environ.get("PATH_INFO", "")
        if path.startswith(ONE) and path.endswith(_END):
            return self._read(environ, start_response, path[len(ONE) : -len(_END)])
        return self._read_batch(environ, start_response) if path == BATCH else None

    def _read(self, environ: Environ, start_response: StartResponse, user_id: str) -> list[bytes] | None:
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] != "GET" or "CONTENT_LENGTH" in environ or not _is_plain_id(user_id):
            return None
        found = self._found(environ, [user_id])
        if found is None:
            return None
        charge, pages = found
        answer = pages[0].answer
        assert answer is not None
        sent = environ.get("HTTP_IF_NONE_MATCH")
        unchanged = sent is not None and (sent == answer.etag or etags.matches(sent, answer.etag))
        headers = [("ETag", answer.etag)]
        body = b""
        if not unchanged:
            body = answer.body
            headers += (_JSON, ("Content-Length", str(len(body))))
        status = _NOT_MODIFIED if unchanged else _OK
        self._start(environ, start_response, charge, status, headers, started)
        return [body]

    def _read_batch(self, environ: Environ, start_response: StartResponse) -> list[bytes] | None:
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] != "POST" or environ.get("CONTENT_TYPE") != "application/json":
            return None
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _MOST_BYTES:
            return None
        sent = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = _Again(sent, environ["wsgi.input"])
        user_ids = _users_of(sent)
        found = self._found(environ, user_ids) if user_ids else None
        if found is None:
            return None
        charge, pages = found
        body = b'{"data":[' + b",".join([page.body for page in pages]) + b"]}"
        self._start(environ, start_response, charge, _OK, [_JSON, ("Content-Length", str(len(body)))], started)
        return [body]

    def _found(self, environ: Environ, user_ids: Sequence[str]) -> tuple[Charge, list[ReadyPage]] | None:
        """Charges the request and finds the page of each user; None where the request must go the ordinary way."""
        if environ.get("QUERY_STRING") or not self._plain.accepts(environ):
            return None
        now = clock.now()
        timestamp = now.timestamp()
        try:
            principal = authentication.known_caller(environ.get("HTTP_AUTHORIZATION", ""), timestamp=timestamp)
            if principal is None or SCOPE not in principal.scopes:
                return None
            tenant_id = principal.tenant_id
            if not flags.is_on_for_all(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_ids=user_ids):
                return None
            wanted, reads = list_cache.users_read_commands(tenant_id, HOME, user_ids)
            structlog.contextvars.clear_contextvars()
            charge = plan_limits.charge_list_read(principal, now=now, cost=len(user_ids), reads=reads)
        except (Unavailable, KeyError):
            return None
        environ[Charge.KEY] = charge
        pages = _pages(charge, principal, user_ids, wanted, timestamp)
        return None if pages is None else (charge, pages)

    def _start(
        self,
        environ: Environ,
        start_response: StartResponse,
        charge: Charge,
        status: str,
        headers: list[tuple[str, str]],
        started: float,
    ) -> None:
        request_id, common = self._plain.response_headers(environ)
        method = environ["REQUEST_METHOD"]
        limits = charge.decision.headers.items()
        answered = [*headers, *self._constant, _ALLOW[method], *limits, *common]
        seconds = time.perf_counter() - started
        self._seconds[status, method].observe(seconds)
        tracing.name_request(method, _ROUTES[method], int(status[:3]))
        if request_log.is_read_logged(seconds):
            _log.info(
                "request",
                request_id=request_id,
                method=method,
                route=_ROUTES[method],
                status=int(status[:3]),
                milliseconds=round(seconds * 1000, 2),
                tenant=charge.principal.tenant,
            )
        start_response(status, answered)  # last: after it the ordinary way is closed


class _Again:
    """A body that has been read, for the ordinary way; behind it what the server's input says of its end."""

    def __init__(self, data: bytes, rest: Any) -> None:
        self._data, self._at, self._rest = data, 0, rest

    def read(self, size: int = -1) -> bytes:
        """As a file."""
        if self._at >= len(self._data):
            return bytes(self._rest.read(size))
        end = len(self._data) if size is None or size < 0 else self._at + size
        found = self._data[self._at : end]
        self._at += len(found)
        return found

    def readline(self, size: int = -1) -> bytes:
        """As a file."""
        end = self._data.find(b"\n", self._at) + 1
        return self.read(size if not end else min(end - self._at, size) if size and size > 0 else end - self._at)


def _is_plain_id(user_id: str) -> bool:
    """Tell if it is an id that needs no decoding. A path's text is Latin-1 of its bytes (PEP 3333)."""
    if _PLAIN_ID.fullmatch(user_id):
        return user_id != "batch"
    return user_id.isascii() and external_ids.find_error(user_id, "") is None


def _users_of(body: bytes) -> list[str] | None:
    """The users of a batch without options; None for anything else."""
    try:
        user_ids = _decoder.decode(body).user_ids
    except msgspec.MsgspecError:
        return None
    if not 1 <= len(user_ids) <= _MOST_USERS or body.count(b'"user_ids"') != 1:
        return None
    plain = _PLAIN_ID.fullmatch
    if all(plain(each) or external_ids.find_error(each, "") is None for each in user_ids) and "batch" not in user_ids:
        return user_ids if len(set(user_ids)) == len(user_ids) else None
    return None


def _pages(
    charge: Charge, principal: Principal, user_ids: Sequence[str], wanted: Sequence[str], timestamp: float
) -> list[ReadyPage] | None:
    """The page of each user, recorded as shown; None if any of them has to be made by the views."""
    decision, count = charge.decision, len(user_ids)
    if decision.outcome is not Outcome.ADMITTED or decision.values is None:
        return None
    bodies, tombstones, gone = decision.values[:count], decision.values[count:-1], decision.values[-1]
    withdrawn = withdrawn_items.parse(gone)
    if withdrawn is None or None in bodies or any(each is not None for each in tombstones):
        return None
    tenant_id = principal.tenant_id
    pages = ready_pages.find(
        tenant_id=tenant_id,
        placement=HOME,
        lists=list(zip(wanted, user_ids, bodies, strict=True)),
        withdrawn=withdrawn,
        timestamp=timestamp,
    )
    if pages is None:
        return None
    ready_pages.count(pages)
    CACHE_READS.labels("hit").inc(count)
    impression_buffer.record_users_pages(tenant_id=tenant_id, pages=[page.impression for page in pages], at=timestamp)
    return pages
