"""Checks of many fields at once, as the readers of single fields make them (`catalog.validators`).

A column is joined and matched as a whole, which costs a tenth of looking at each value.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from core import external_ids

MAX_EVENT_ID, MAX_LIST_ID = 128, 64
_IDS = re.compile(rf"(?:[A-Za-z0-9_-]{{1,{external_ids.MAX_LENGTH}}}\n)+")


def are_ids(names: Collection[str]) -> bool:
    """True if all are valid external ids."""
    joined = "\n".join(names) + "\n"
    if _IDS.fullmatch(joined) and joined.count("\n") == len(names):
        return external_ids.RESERVED.isdisjoint(names)
    return all(external_ids.find_error(name, "") is None for name in set(names))


def are_texts(values: Sequence[Any], most: int) -> bool:
    """True if the texts among the values are printable and at most that long."""
    texts = [value for value in values if value]
    return not texts or (max(map(len, texts)) <= most and "".join(texts).isprintable())
