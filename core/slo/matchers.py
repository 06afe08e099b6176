"""Label matchers of PromQL, as objectives have them, applied to labels."""

import re
from collections.abc import Callable, Mapping
from functools import partial

_MATCHER = re.compile(
    r'\s*(?P<label>[a-zA-Z_]\w*)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|\Z)'
)
Labels = Mapping[str, str]


def compile_matchers(text: str) -> Callable[[Labels], bool]:
    """A test whether labels match all of the matchers, such as `route!~"admin|healthz", method="GET"`.

    As in Prometheus a regular expression matches whole values, and a label that is missing is empty.
    Raises: ValueError for anything else than matchers.
    """
    tests: list[Callable[[Labels], bool]] = []
    place = 0
    while place < len(text):
        match = _MATCHER.match(text, place)
        if match is None:
            raise ValueError(f"These are no label matchers: {text}")
        value = match["value"].replace(r"\"", '"').replace("\\\\", "\\")
        tests.append(partial(_holds, match["label"], match["operator"], re.compile(value), value))
        place = match.end()
    return lambda labels: all(test(labels) for test in tests)


def _holds(label: str, operator: str, pattern: re.Pattern[str], value: str, labels: Labels) -> bool:
    present = labels.get(label, "")
    equal = pattern.fullmatch(present) is not None if "~" in operator else present == value
    return equal is not operator.startswith("!")
