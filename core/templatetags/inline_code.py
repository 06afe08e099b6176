"""Backticks in a text become code, as in the documents that the same texts appear in."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_QUOTED = re.compile(r"`([^`]+)`")


@register.filter
def inline_code(text: str) -> SafeString:
    """The text, escaped, with what was between backticks as a `code` element."""
    return mark_safe(_QUOTED.sub(r"<code>\1</code>", escape(text)))  # noqa: S308  # escaped just before
