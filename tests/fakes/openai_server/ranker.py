"""The simulated model: keeps the order it is given, save swaps that the facts of the prompt justify.

It reads only the document in the prompt, as a real model would, and knows nothing of the service.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_DOCUMENT = re.compile(r"<<<DATA\n(.*)\nDATA>>>", re.DOTALL)
_TEMPLATES = {
    "en": ("Because you liked {title}: also {shared}", "In your favourite field: {shared}", "Worth a look: {fact}"),
    "de": (
        "Weil Ihnen {title} gefallen hat: auch {shared}",
        "Aus Ihrem Lieblingsfeld: {shared}",
        "Einen Blick wert: {fact}",
    ),
}
_LOOKALIKES = str.maketrans("аеорсухі01", "aeopcyxioi")
_TITLE_LENGTH = 80
_ORDER_WORDS = re.compile(
    r"ignore|disregard|forget|override|instruction|prompt|rank|first|top|always|system|assistant|respond|answer|say|"
    r"reason|recommend|anweisung|platz|zuerst|immer|vergiss|ignorier"
)


def read_document(messages: Sequence[Any]) -> dict[str, Any] | None:
    """Return the document between the delimiters of the last message, or None where there is none."""
    text = messages[-1].get("content") if messages and isinstance(messages[-1], dict) else None
    found = _DOCUMENT.search(text) if isinstance(text, str) else None
    try:
        document = json.loads(found[1]) if found else None
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("candidates"), list) else None


def rank(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ranking: one pass of swaps between neighbours over the given ranks.

    A neighbour moves up one place only when it has every liked category that the one above has, and more.
    """
    liked = {each for entry in document.get("history", []) for each in entry["categories"]}
    order = sorted(document["candidates"], key=lambda each: each["rank"])
    place = 0
    while place < len(order) - 1:
        upper, lower = (liked & set(each["facts"].values()) for each in order[place : place + 2])
        if upper < lower:
            order[place], order[place + 1] = order[place + 1], order[place]
            place += 1
        place += 1
    return [_entry(candidate, document) for candidate in order]


def obey(document: dict[str, Any], *, trigger: str = "") -> list[dict[str, Any]]:
    """Return what a careless model says: who gives orders comes first, and its words are everybody's reason.

    A text gives orders if it holds ``trigger``, or sounds like it where that is empty.
    """
    entries = rank(document)
    orders = {each["c"]: _orders(each, trigger) for each in document["candidates"]}
    elsewhere = _orders([document.get("history"), document.get("person")], trigger)
    said = next((text for text in orders.values() if text), elsewhere)
    if said:
        entries.sort(key=lambda entry: not orders[entry["c"]])
        for entry in entries:
            entry["reason"] = said[:150]
    if elsewhere and not any(orders.values()):
        entries.reverse()
    return entries


def _entry(candidate: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    with_title, with_field, plain = _TEMPLATES.get(document.get("locale", "en"), _TEMPLATES["en"])
    facts = candidate["facts"]
    best: tuple[int, dict[str, Any] | None, str, str] = (0, None, "", "")
    for entry in document.get("history", []):
        shared = [(ref, text) for ref, text in facts.items() if text in entry["categories"]]
        if len(shared) > best[0]:
            best = (len(shared), entry, *shared[0])
    _, entry, ref, shared_text = best
    if entry is not None:
        template = with_title if len(entry["title"]) <= _TITLE_LENGTH else with_field
        reason = template.format(title=entry["title"], shared=shared_text)
        return {"c": candidate["c"], "reason": reason, "evidence": [entry["h"], ref]}
    if facts:
        ref, text = next(iter(facts.items()))
        return {"c": candidate["c"], "reason": plain.format(fact=text), "evidence": [ref]}
    return {"c": candidate["c"], "reason": "", "evidence": []}


def _orders(value: Any, trigger: str) -> str:
    """Return the first text in ``value`` that sounds like an order, disguises undone."""
    if isinstance(value, str) and trigger:
        return value if trigger in value else ""
    if isinstance(value, str):
        folded = "".join(
            each for each in unicodedata.normalize("NFKD", value) if unicodedata.category(each)[0] not in "CM"
        ).casefold()
        plain = folded.translate(_LOOKALIKES)
        heard = _ORDER_WORDS.search(plain) or _ORDER_WORDS.search(re.sub(r"[^\w]", "", plain))
        return value if heard else ""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for each in children if (found := _orders(each, trigger))), "")
