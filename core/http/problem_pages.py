"""GET /problems/CODE: the page that a problem's `type` links to, and /problems/ with all of them."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from core.http.problem_codes import pages


@require_safe
@cache_control(public=True, max_age=300)
def index(request: HttpRequest) -> HttpResponse:
    """Lists every code."""
    return render(request, "problems/index.html", {"pages": pages()})


@require_safe
@cache_control(public=True, max_age=300)
def page(request: HttpRequest, code: str) -> HttpResponse:
    """Shows one code; 404 for an unknown one."""
    found = pages().get(code)
    if found is None:
        raise Http404
    return render(request, "problems/page.html", {"code": code, "page": found})
