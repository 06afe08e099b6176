"""Arrays as PostgreSQL reads them: one parameter for thousands of values, which placeholders would take long to write.

Statements compare with them (`= ANY`) instead of joining `unnest`: the planner then uses an index, also for a table of
which it has no statistics yet.
"""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r'["\\]')


def array(values: Iterable[str]) -> str:
    """An array of values without quotation marks, blanks and commas."""
    return f"{{{','.join(values)}}}"


def text_array(values: Sequence[str | None]) -> str:
    """An array of texts and nulls."""
    texts = [text for text in values if text is not None]
    if _SPECIAL.search("".join(texts)):
        values = [None if text is None else _SPECIAL.sub(r"\\\g<0>", text) for text in values]
    if texts and len(texts) == len(values):
        return '{"' + '","'.join(text for text in values if text is not None) + '"}'
    return array("NULL" if text is None else f'"{text}"' for text in values)
