"""Secrets that are shown once: in the answer to the request that made them, and nowhere else.

Never as a message: messages are kept until the next page, in a cookie or a session.
"""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


@dataclass(frozen=True, slots=True)
class Issued:
    """A secret, what it is of, and texts to copy that use it."""

    label: str
    secret: str = field(repr=False)
    warning: str = ""
    snippets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def secret_page(request: HttpRequest, site: AdminSite, issued: list[Issued], *, back: str, title: str) -> HttpResponse:
    """The page with the secrets; no cache keeps it."""
    context: dict[str, Any] = {**site.each_context(request), "title": title, "issued": issued, "back": back}
    return TemplateResponse(
        request,
        "admin/accounts/secret.html",
        context,
        headers={"Cache-Control": "no-store, private", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"},
    )
