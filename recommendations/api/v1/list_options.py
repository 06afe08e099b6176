"""Common parts of list requests: options, cost, admission, and responses."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.translation.trans_real import parse_accept_lang_header
from rest_framework.request import Request

from accounts.api.views import ChargedWithReads
from accounts.limits import plan_limits
from accounts.tokens.authentication import caller
from core import external_ids
from core.errors import FieldError, InvalidInput
from core.http import etags, pagination
from core.ratelimit import Decision, Read
from recommendations.api.v1.serializers import recommendations as schema
from recommendations.explanations import templates
from recommendations.filter_language import FilterRefused, parse
from recommendations.filter_language.cost import MAX_BROWSER_COST, MAX_COST, refuse_above, units
from recommendations.filter_language.partial_eval import names_person
from recommendations.serving.page import render
from recommendations.serving.read import browser_access
from recommendations.serving.read.list_query import Options, Subject
from recommendations.serving.read.resolved import ResolvedList

_PLACEMENT = re.compile(r"[-a-zA-Z0-9_]{1,63}\Z")
CACHE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Origin, Accept-Language"}


@dataclass(frozen=True, slots=True)
class RequestLimiter:
    """The limiter of one request for lists: a read, even if it is a POST. `cost` is in units."""

    request: Request
    now: datetime
    cost: int = 1

    def admit(self, reads: Sequence[Read]) -> Decision:
        """Judge the request and run these reads in the same round trip to Redis.

        Raises: the refusal.
        """
        return plan_limits.charge_request(
            self.request,
            now=self.now,
            endpoint_class=ChargedWithReads.endpoint_class,
            cost=self.cost,
            reads=reads,
            has_static=True,
        )


def common_options(values: dict[str, Any], request: Request, *, browser: bool) -> Options:
    """The options of a list, from checked values.

    Raises: as `filter_of`.
    """
    return Options(
        limit=values["limit"],
        category=values["category"],
        exclude=frozenset(values["exclude"]),
        include_item=values.get("include") == "item",
        explain=values["explain"],
        filter=filter_of(values["filter"], browser=browser),
        language=preferred(request),
    )


def of_browser(options: Options, subject: Subject) -> Options:
    """Options restricted to what browsers may use.

    Raises: InvalidInput if the filter uses a field that is not released to browsers.
    """
    try:
        return browser_access.narrowed(options, tenant_id=subject.tenant_id)
    except FilterRefused as refused:
        error = FieldError("/filter", "not_released", refused.detail)
        raise InvalidInput(f"The filter is not allowed. {refused.detail}", errors=[error]) from None


def filter_of(text: str, *, browser: bool) -> str:
    """Checks a filter; returns it unchanged.

    Raises: InvalidInput with the column; FilterTooCostly.
    """
    try:
        node = parse(text) if text else None
    except FilterRefused as refused:
        error = FieldError("/filter", "bad_filter", refused.detail)
        raise InvalidInput(f"Invalid filter. {refused.detail}", errors=[error]) from None
    if node is not None:
        refuse_above(node, MAX_BROWSER_COST if browser else MAX_COST)
    return text


def units_of(options: Options, people: int = 1) -> int:
    """The units of a request: its users, plus the cost of its filter, per user if it references the user."""
    node = parse(options.filter) if options.filter else None
    personal = node is not None and names_person(node)
    return people + units(node) * (people if personal else 1)


def check_id(pointer: str, value: str) -> None:
    """Raises: InvalidInput for an invalid id."""
    if error := external_ids.find_error(value, pointer):
        raise InvalidInput(error.detail, errors=[error])


def placement_of(name: str) -> str:
    """Checks the syntax of a placement's name; its existence is checked before its lists are read.

    Raises: InvalidInput.
    """
    if not _PLACEMENT.match(name):
        detail = "Must be 1 to 63 letters, digits, - and _."
        raise InvalidInput(detail, errors=[FieldError("/placement", "unknown_placement", detail)])
    return name


def preferred(request: Request) -> str:
    """The first supported language of Accept-Language (RFC 9110); empty if there is none, or any will do."""
    for tag, weight in parse_accept_lang_header(request.META.get("HTTP_ACCEPT_LANGUAGE", "")):
        if tag == "*":
            return ""
        if weight > 0 and templates.speaks(tag):
            return templates.language(tag)
    return ""


def read_list_options(
    request: Request, subject: Subject, now: datetime, known: type[schema.PageQuery] = schema.PageQuery
) -> Options:
    query = request.query_params
    if not query:
        return Options(language=preferred(request))
    for name in query:
        if name != "exclude" and len(query.getlist(name)) > 1:
            raise pagination.invalid(f"/{name}", "repeated", "Give this parameter once.")
    asked = known(data={**query.dict(), "exclude": query.getlist("exclude")})
    asked.is_valid(raise_exception=True)
    values: dict[str, Any] = asked.validated_data
    options = common_options(values, request, browser=bool(caller(request).user_id))
    return with_cursor(options, values["cursor"], subject, now)


def with_cursor(options: Options, token: str, subject: Subject, now: datetime) -> Options:
    if not token:
        return options
    return replace(options, shown=render.read_cursor(token, subject=subject, options=options, now=now))


def list_response(
    request: Request, *, resolved: ResolvedList, subject: Subject, options: Options, now: datetime
) -> HttpResponse:
    """The rendered list as a response."""
    answer = render.render(resolved=resolved, subject=subject, options=options, now=now)
    return answer_response(request, answer, subject, now)


def answer_response(request: Request, answer: render.Answer, subject: Subject, now: datetime) -> HttpResponse:
    """A rendered list, or 304 if the caller has this version; an impression is recorded either way."""
    render.record_impression(answer=answer, subject=subject, now=now)
    unchanged = etags.matches(request.META.get("HTTP_IF_NONE_MATCH", ""), answer.etag)
    response = (
        HttpResponse(status=304, headers=CACHE_HEADERS)
        if unchanged
        else HttpResponse(answer.body, content_type="application/json", headers=CACHE_HEADERS)
    )
    response["ETag"] = answer.etag
    if unchanged:
        del response["Content-Type"]
    return response
