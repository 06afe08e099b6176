"""Which of the languages that reasons are written in a request prefers (Accept-Language, RFC 9110 section 12.5.4)."""

from django.utils.translation.trans_real import parse_accept_lang_header
from rest_framework.request import Request

from recommendations.explanations import templates


def preferred(request: Request) -> str:
    """The first language of the header that there are reasons in; empty where it names none, or any will do."""
    for tag, weight in parse_accept_lang_header(request.META.get("HTTP_ACCEPT_LANGUAGE", "")):
        if tag == "*":
            return ""
        if weight > 0 and templates.speaks(tag):
            return templates.language(tag)
    return ""
