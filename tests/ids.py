"""Ids of people and items as customers have them, and ones that nobody would think of."""

import random
import sys
import unicodedata

from hypothesis import strategies as st

from core import external_ids

# As other systems write them.
REAL = [
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "gid://shopify/Product/1",
    "SKU 12/34",
    "head&shoulders_2014",
    "用户1",
    "user#EXT#@contoso.onmicrosoft.com",
    "c2F/bXBsZS8+Lw==",
    "abc/",
    "/abc",
    "a//b",
    "a/../b",
    "a/./b",
    "...",
    "%2F",
    "100%",
    "%",
    "a?b=c&d=e",
    "a+b c",
    "\"quoted\" 'twice'",
    "back\\slash",
    "{braces}:{t:1}:l:home:x",
    "a;b,c|d`e^f~g",
    "<script>alert(1)</script>",
    "e\u0301 is not \u00e9",
    "می‌خواهم",
    "👩‍👩‍👧‍👦",
    "İstanbul ß ﬁ",
    "a*b[c]?d",
    "'; DROP TABLE items; --",
    "$1 %s {0} %(a)s",
    "-",
    "similar",
]


def is_id(value: str) -> bool:
    """Returns true unless a documented exception applies, without asking the code under test."""
    tail = value.rpartition("/")
    return (
        value == value.strip().strip("\ufeff")
        and value not in (".", "..", "batch")
        and not (tail[1] and tail[2] in external_ids.SUB_RESOURCES)
    )


def unicode_ids(longest: int = 128) -> st.SearchStrategy[str]:
    """Texts of any script without control characters and without white space at the ends."""
    return st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=longest).filter(is_id)


def drawn(number: int, seed: int = 7) -> list[str]:
    """So many different ids, the same each time: half of what has a meaning somewhere, half of all of Unicode."""
    dice = random.Random(seed)
    odd = "/?#%&+=.:;,|\\\"'`{}[]()<>*~!@$^ -_09azAZéß用ж🙂\u200d\u202e\u2028\ufffd"
    found = dict.fromkeys(REAL)
    while len(found) < number:
        length = dice.choice((1, 2, 3, 8, 20, 128))
        if dice.random() < 0.5:
            value = "".join(dice.choice(odd) for _ in range(length))
        else:
            value = "".join(_any(dice) for _ in range(length))
        if is_id(value):
            found[value] = None
    return list(found)


def _any(dice: random.Random) -> str:
    while True:
        character = chr(dice.randrange(sys.maxunicode + 1))
        if unicodedata.category(character) not in ("Cc", "Cs"):
            return character
