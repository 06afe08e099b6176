"""Secrets shown once: in the response to the request that issued them, and nowhere else.

Never as a message: messages are stored in a cookie or session until the next page.
"""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


@dataclass(frozen=True, slots=True)
class Issued:
    """A secret, its label, and snippets that use it."""

    label: str
    secret: str = field(repr=False)
    warning: str = ""
    snippets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def secret_page(request: HttpRequest, site: AdminSite, issued: list[Issued], *, back: str, title: str) -> HttpResponse:
    """Returns the page with the secrets, uncacheable."""
    context: dict[str, Any] = {**site.each_context(request), "title": title, "issued": issued, "back": back}
    return TemplateResponse(
        request,
        "admin/accounts/secret.html",
        context,
        headers={"Cache-Control": "no-store, private", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"},
    )
