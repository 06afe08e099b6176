"""Terms of an item's fields, for text similarity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_WORD = re.compile(r"[^\W_]{2,}")
# More words of a description add little but cost.
DESCRIPTION_WORDS = 150
# The weight of a word of the title or a category, relative to one of the description.
EMPHASIS = 2


def terms(
    *,
    title: str = "",
    description: str = "",
    categories: Iterable[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return lower-case words of title and description, and each category and attribute as one term."""
    words = _WORD.findall(title.lower()) * EMPHASIS
    words += _WORD.findall(description.lower())[:DESCRIPTION_WORDS]
    words += [f"category={category.lower()}" for category in categories] * EMPHASIS
    for name, value in (attributes or {}).items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str | bool):
                words.append(f"{name}={each}".lower())
    return words
