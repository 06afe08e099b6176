"""Validates one reason against the facts it cites; a failing reason is replaced, never repaired.

The rules are strict on purpose: a good reason dropped costs a plainer sentence, a bad one shown costs trust.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recommendations.ai.reranking.fact_sheet import CandidateFacts, FactSheet
from recommendations.text_safety.links import holds_address, reads_as_link
from recommendations.text_safety.prompt_injection import gives_orders
from recommendations.text_safety.sanitize import clean_text, fold

REASON_LIMIT = 160
MAX_EVIDENCE = 6
SHORT_TITLE = 6
"""Titles shorter than this ("It", "Her") are common words and are looked for in their own capitals."""

Violation = Literal[
    "empty",
    "length",
    "evidence",
    "link",
    "markup",
    "price",
    "instruction",
    "contact",
    "insult",
    "other_title",
    "unsupported",
]

_MARKUP = re.compile(r"[<>`{}\\|]|\*\*|__|\]\(|^#|&(?:#\w+|[a-z]+);", re.IGNORECASE)
_PRICE = re.compile(
    r"[\$€£¥₹₽₩₿¢%]|\b(?:usd|eur|gbp|chf|jpy|euros?|dollars?|pounds?|cents?|bucks|price[sd]?|cheap\w*|discount\w*|"
    r"coupon\w*|voucher\w*|free|sale|bargain|preis\w*|rabatt\w*|gratis|kostenlos\w*|gutschein\w*|billig\w*|angebot\w*|"
    r"prix|gratuite?s?|remises?|soldes?|promo\w*|precios?|descuentos?|ofertas?|barat[oa]s?|prezz[oi]|scont[oi]|offert[ae]|"
    r"prij[sz]\w*|korting\w*|aanbieding\w*|goedkoop|pre[çc]os?|descontos?|gr[aá]tis)\b",
    re.IGNORECASE,
)
_INSULT = re.compile(
    # What no shop says to or about its customers, in the languages that reasons are written in.
    r"\b(?:idiot\w*|morons?|imbeciles?|stupid\w*|dumb\w*|losers?|fools?|foolish|retard\w*|scum|trash\w*|garbage|crap\w*|"
    r"shit\w*|fuck\w*|bitch\w*|bastard\w*|whores?|sluts?|pervert\w*|kill yourself|hates? you|ugly|worthless|pathetic|"
    r"dumm\w*|bl[oö]d\w*|deppen?|trottel\w*|schei(?:ß|ss)\w*|arsch\w*|h[aä]sslich\w*|wertlos\w*|"
    r"imb[eé]cil\w*|connard\w*|stupide\w*|d[eé]bile\w*|merde\w*|moches?|"
    r"est[uú]pid\w*|tont[oa]s?|mierda\w*|idiota\w*|feos?|inútil\w*|"
    r"stupid[aei]\w*|cretin\w*|merda\w*|brutt[oaie]|sukkels?|dom(?:me|koppen?)?|lelijk\w*|burr[oa]s?|nojent\w*)\b",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"\S@\S|(?:^|\s)@\w|\+?\d(?:[ \-/.()]*\d){6,}")
_REFERENCE = re.compile(
    r"\b(?:[hpf]\d{1,2}|candidates?|json|evidence|system|ranked|ranking|kandidat\w*)\b", re.IGNORECASE
)
_QUOTED = re.compile(r"[\"“”„«»‚‘]([^\"“”„«»‚‘]+)[\"“”«»‘]")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_ADDRESSING = frozenset({"ihnen", "sie", "ihr", "ihre", "ihrer", "ihrem", "ihren"})
"""German words of address, which have a capital without being names."""
_ARTICLE_LAST = re.compile(r"^(.*), (The|A|An|Der|Die|Das|Le|La|Les|El|Il)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """Titles and facts behind the cited references."""

    titles: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return self.titles + self.facts


def check_reason(
    text: object, evidence: object, *, sheet: FactSheet, candidate: CandidateFacts, language: str
) -> Violation | None:
    """Return the first rule that a reason for `candidate` breaks, or None where it may be shown.

    `text` and `evidence` are as the model gave them, of any type.
    """
    if not isinstance(text, str) or not text.strip():
        return "empty"
    if len(text) > REASON_LIMIT:
        return "length"
    if text != clean_text(text, limit=REASON_LIMIT):
        return "markup"
    cited = _cited(evidence, sheet=sheet, candidate=candidate)
    if cited is None:
        return "evidence"
    own = _own_words(text, cited=cited, candidate=candidate)
    return _forbidden(text, own) or _unsupported(text, cited=cited, sheet=sheet, candidate=candidate, language=language)


def evidence_texts(evidence: object, *, sheet: FactSheet, candidate: CandidateFacts) -> tuple[str, ...]:
    """Return the titles and facts behind valid references, without repeats."""
    refs = evidence if isinstance(evidence, list) else []
    texts = (
        entry.title if (entry := sheet.history.get(ref)) else candidate.facts.get(ref) or sheet.user_attributes[ref]
        for ref in refs
    )
    return tuple(dict.fromkeys(texts))


def _cited(evidence: object, *, sheet: FactSheet, candidate: CandidateFacts) -> _Evidence | None:
    """Resolve references; None when there are none, too many, or one that does not exist."""
    if not isinstance(evidence, list) or not 0 < len(evidence) <= MAX_EVIDENCE:
        return None
    titles: list[str] = []
    facts: list[str] = []
    for ref in evidence:
        if not isinstance(ref, str):
            return None
        if entry := sheet.history.get(ref):
            titles.append(entry.title)
            facts.extend(entry.categories)
        elif fact := candidate.facts.get(ref) or sheet.user_attributes.get(ref):
            facts.append(fact)
        else:
            return None
    return _Evidence(titles=tuple(titles), facts=tuple(facts))


def _own_words(text: str, *, cited: _Evidence, candidate: CandidateFacts) -> str:
    """The sentence without what it may quote: cited titles and facts, and the item's own."""
    quoted = [form for title in (*cited.titles, candidate.title) for form in _title_forms(title)]
    facts = (*cited.facts, *candidate.facts.values())
    quoted += [part for fact in facts for part in (fact, fact.rpartition(": ")[2]) if part]
    return _without(text, quoted, mark=" — ")


def _forbidden(text: str, own: str) -> Violation | None:
    if _MARKUP.search(text):
        return "markup"
    if holds_address(text) or reads_as_link(own):
        return "link"
    rules: tuple[tuple[Violation, re.Pattern[str]], ...] = (
        ("price", _PRICE),
        ("contact", _CONTACT),
        ("instruction", _REFERENCE),
    )
    for violation, pattern in rules:
        if pattern.search(text):
            return violation
    if _INSULT.search(own):
        return "insult"
    return "instruction" if gives_orders(text) else None


def _unsupported(
    text: str, *, cited: _Evidence, sheet: FactSheet, candidate: CandidateFacts, language: str
) -> Violation | None:
    allowed = [form for title in (*cited.titles, candidate.title) for form in _title_forms(title)]
    rest = _without(text, allowed)
    others = {entry.title for entry in sheet.history.values()} | {each.title for each in sheet.candidates}
    if any(_mentions(rest, form) for title in others for form in _title_forms(title)):
        return "other_title"
    supported = (*cited.texts, *candidate.facts.values(), *allowed)
    if not _grounded(text, cited) or _has_unsupported_names(rest, supported=supported, language=language):
        return "unsupported"
    return None


def _title_forms(title: str) -> list[str]:
    """Return the usual spellings of a title: as it is, without a bracketed ending, with its article in front."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", title).strip()
    forms = [title, bare]
    if turned := _ARTICLE_LAST.match(bare):
        forms += [f"{turned[2]} {turned[1]}", turned[1]]
    return [each for each in dict.fromkeys(forms) if each]


def _without(text: str, titles: Sequence[str], mark: str = " · ") -> str:
    for title in sorted(titles, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(title)}(?!\w)", mark, text, flags=re.IGNORECASE)
    return text


def _mentions(text: str, title: str) -> bool:
    flags = re.IGNORECASE if len(title) >= SHORT_TITLE else re.NOFLAG
    return re.search(rf"(?<!\w){re.escape(title)}(?!\w)", text, flags) is not None


def _grounded(text: str, cited: _Evidence) -> bool:
    """Return whether the text names at least one cited title or fact."""
    forms = [form for title in cited.titles for form in _title_forms(title)]
    forms += [part for fact in cited.facts for part in (fact, fact.rpartition(": ")[2])]
    folded = fold(text)
    return any(re.search(rf"(?<!\w){re.escape(fold(form))}(?!\w)", folded) for form in forms if form)


def _has_unsupported_names(rest: str, *, supported: Sequence[str], language: str) -> bool:
    """Return whether the text quotes or names something that no fact supports.

    A name is a capitalised word after the first one; in German, where every noun has a capital, only two in a row.
    """
    known = _ADDRESSING | set(_WORD.findall(fold(" · ".join(supported))))
    if any(not set(_WORD.findall(fold(quote))) <= known for quote in _QUOTED.findall(rest)):
        return True
    unsupported: list[bool] = []
    for sentence in re.split(r"[.!?:]\s+", rest):
        for position, word in enumerate(_WORD.findall(sentence)):
            new = fold(word) not in known and word != "I"
            if new and (word[0].isdigit() or (len(word) >= 3 and word.isupper())):
                return True
            unsupported.append(new and position > 0 and word[0].isupper())
    needed = 2 if language == "de" else 1
    return any(all(unsupported[start : start + needed]) for start in range(len(unsupported) - needed + 1))
