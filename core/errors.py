"""Errors of the domain. Pure: only core.http.problem maps them to HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.quoting import quoted, quoted_lines

MAX_POINTER = 300
MAX_DETAIL = 1000
MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error in the input: its place (JSON pointer, RFC 6901), a stable code, and the remedy.

    Pointer and detail quote the input, which may hold anything: both are made storable and bounded here.
    """

    pointer: str
    code: str
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "pointer", quoted(self.pointer, MAX_POINTER))
        object.__setattr__(self, "detail", quoted(self.detail, MAX_DETAIL))

    def as_dict(self) -> dict[str, str]:
        """Returns the form used in problems and in row results."""
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class ServiceError(Exception):
    """A refused request: a stable `code`, a human-readable `title`, and the exact `detail`."""

    code = "error"
    title = "The request could not be served"
    retry_after_seconds: int | None = None

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = ()) -> None:
        self.detail = quoted_lines(detail or self.title, MAX_TEXT)
        super().__init__(self.detail)
        self.errors = tuple(errors)


class InvalidInput(ServiceError):
    """The input breaks the contract; `errors` say where."""

    code = "invalid"
    title = "The request is not valid"


class NotFound(ServiceError):
    """No such object in the caller's tenant. Another tenant's object is not found either."""

    code = "not_found"
    title = "Not found"


class Conflict(ServiceError):
    """The object is not in the state that the request needs."""

    code = "conflict"
    title = "The object's state does not allow this"


class PreconditionFailed(ServiceError):
    """`If-Match` names another version than the current one."""

    code = "precondition_failed"
    title = "The object has changed since it was read"


class Unavailable(ServiceError):
    """Something that the request needs is temporarily unavailable."""

    code = "unavailable"
    title = "Temporarily unavailable"
    retry_after_seconds = 2


class RateLimited(ServiceError):
    """The tenant has exceeded its plan's rate limit; units are available again after `retry_after_seconds`."""

    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int | None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class QuotaExceeded(RateLimited):
    """The tenant has used up its plan's monthly quota."""

    code = "quota_exceeded"
    title = "The monthly quota is used up"
