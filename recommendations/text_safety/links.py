"""Detects links: strictly in a model's own words, by known forms in quoted titles.

A model's sentence has no need of a dot inside a word or of a slash, so any is refused; there is no list of top-level
domains that a new one could be missing from. Titles have both ("Face/Off", "S.W.A.T."), so for them an address is a
word, a dot and an ending of letters, or one of the disguises.
"""

import re
import unicodedata

# Characters read as a dot: NFKC already turns full-width and one-dot-leader forms into it.
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff61\u00b7\u2027\u2219\u22c5\u30fb\u2022\u0589\u06d4\u0701\u0702", "."))
_SLASHES = str.maketrans(dict.fromkeys("\u2044\u2215\u29f8\u2571\\", "/"))
_SCHEME = r"\b(?:https?|hxxps?|ftp|mailto|javascript|data|tel):|://|\bwww\d?\b|\b(?:https?|hxxps?)\b"
_BRACKETED = r"[\[({<]\s*(?:\.|dot|d0t|punkt|point|punto|ponto|punt)\s*[\])}>]"
_SPOKEN = r"\w\s+(?:dot|d0t|punkt|point|punto|ponto|punt)\s+"
_USUAL = (
    r"(?:ai|app|at|biz|cc|ch|cn|co|com|de|dev|edu|es|eu|fr|gg|gl|gov|info|io|it|link|ly|me|net|nl|org|pt|ru|shop|site|"
    r"tk|to|tv|uk|us|xyz)"
)

_IN_WORDS = re.compile(
    rf"{_SCHEME}|{_BRACKETED}|{_SPOKEN}\w"
    r"|\w\.\w"  # a dot inside a word
    r"|\w\s+\.\s*\w"  # evil .com, evil . com
    r"|\w\.\s+(?:[a-z]{2,3}\b(?:\s*$|\s*[/.!?,;:)])|[a-z]+\s*/)"  # evil. com
    r"|\w,\w|\w:\w"  # evil,com and localhost:80
    r"|/|#\w",
    re.IGNORECASE,
)
_IN_TITLE = re.compile(
    rf"{_SCHEME}|{_BRACKETED}|{_SPOKEN}{_USUAL}\b"
    r"|[^\W_][\w-]+\.(?:[^\W\d_]{2,})\b"  # evil.com, not S.W.A.T. and not Dr. No
    rf"|\b\w\.{_USUAL}\b"  # t.co, not E.T.
    r"|\w\s*\.\s*[^\W\d_]{2,}/"  # evil .tk/x
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    re.IGNORECASE,
)


def reads_as_link(words: str) -> bool:
    """Return whether a model's own sentence, without quoted titles and facts, contains anything like an address."""
    return _IN_WORDS.search(_plain(words)) is not None


def holds_address(title: str) -> bool:
    """Return whether a catalogue text contains an address that quoting it would pass on."""
    return _IN_TITLE.search(_plain(title)) is not None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_DOTS).translate(_SLASHES)
