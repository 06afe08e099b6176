"""Handlers that items and users have in common: they differ in their schemas, writers and texts only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.authentication import caller
from core import clock
from core.http import etags, locations, pagination
from core.http.pagination import Pages
from core.idempotency.decorator import Write
from recommendations.api.v1 import base
from recommendations.catalog import selectors
from recommendations.catalog.models import EndUser, Item
from recommendations.catalog.upsert import Row, Version
from recommendations.catalog.validators import FieldRefused


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of catalogue entry. `key` is the name of its external id, which `load`, `put` and `patch` expect."""

    key: str
    load: Callable[..., Any]
    read: Callable[[Any], Row]
    read_changes: Callable[[Any], Row]
    put: Callable[..., tuple[Any, bool]]
    patch: Callable[..., Any]
    body: Callable[[Any], dict[str, Any]]

    def get_response(self, request: Request, external_id: str) -> Response:
        """The entry, or 304."""
        wanted = {self.key: base.path_id(self.key, external_id)}
        entry = self.load(tenant_id=caller(request).tenant_id, **wanted)
        return etags.conditional_response(request, tag=_tag(entry), body=lambda: self.body(entry))

    def put_response(self, request: Request, external_id: str, write: Write) -> Response:
        """Creates or replaces the entry with the body."""
        row = self._checked(self.read, request, external_id)
        with write.effect():
            entry, created = self.put(row, **_context(request))
            if created:
                headers = {"ETag": _tag(entry), "Location": locations.request_path(request)}
                return write.answer(Response(self.body(entry), status=201, headers=headers))
            return base.written(request, write, body=self.body(entry), tag=_tag(entry))

    def patch_response(self, request: Request, external_id: str, write: Write) -> Response:
        """Replaces the fields that are in the body."""
        changes = self._checked(self.read_changes, request, external_id)
        try:
            with write.effect():
                entry = self.patch(**{self.key: external_id}, changes=changes, **_context(request))
                return base.written(request, write, body=self.body(entry), tag=_tag(entry))
        except FieldRefused as refused:
            base.refuse(refused)

    def list_response(
        self, request: Request, *, load: Callable[..., Sequence[Any]], pages: Pages, by_change: bool
    ) -> Response:
        """A page of entries. `load` gets the position `after` which it starts, and the `limit` of rows to read."""
        entries = load(after=pages.after, limit=pages.limit + 1)
        rows = entries[: pages.limit]
        cursor = pages.cursor(selectors.position(rows[-1], by_change=by_change) if len(entries) > len(rows) else None)
        return etags.conditional_response(
            request,
            tag=etags.etag([*((row.pk, row.updated_at) for row in rows), cursor]),
            body=lambda: {"data": [self.body(row) for row in rows], "next": cursor},
            headers=pagination.link(request, cursor),
        )

    def _checked(self, read: Callable[[Mapping[str, Any]], Row], request: Request, external_id: str) -> Row:
        try:
            return read(base.named_body(request, self.key, external_id))
        except FieldRefused as refused:
            base.refuse(refused)


def _context(request: Request) -> dict[str, Any]:
    return {"tenant_id": caller(request).tenant_id, "now": clock.now(), "check": base.precondition(request)}


def _tag(entry: Item | EndUser) -> str:
    return str(base.tag(Version(entry.pk, entry.updated_at)))
