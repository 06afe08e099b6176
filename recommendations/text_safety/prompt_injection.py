"""Detects texts that instruct the model instead of describing something.

A catalogue has many authors. A text that contains instructions is withheld from the prompt and its item keeps the
place that the algorithm gave it, so that there is nothing to obey. This is a screen for the known phrases
(English and German), not a proof: other words and languages pass it, and then meet the answer's guards, which bound how
far an item can rise and show no sentence that names nothing it rests on.
"""

import re

from recommendations.text_safety.sanitize import fold

_LOOKALIKES = str.maketrans("аеорсухіѕԁјѵԛ0134@$", "aeopcyxisdjvqoieaas")
"""Cyrillic letters and digits that are used in place of Latin ones."""

_DROP = r"(ignor\w*|disregard\w*|forget\w*|overrid\w*|bypass\w*|vergiss|vergessen sie|missachte\w*)"
_RULES = r"(instruction|rule|prompt|above|previous|prior|before|everything|guideline|anweisung|regel|vorherig|obig)"
_MOVE = r"\b(rank|place|put|list|move|recommend|position|sort|promote|choose|select)\b"
_FIRST = r"\b(first|top|highest|number one|position one|rank (1|one|i)\b|above|always|everyone|every user)"
_WRITE = r"\b(respond|reply|answer|output|print|say|write|return|antworte|schreibe?|gib)\b"
_WORDS = r"\b(with|only|json|exactly|following|the (text|words?|reason)|mit|nur|aus)\b"

_ORDERS = (
    # Taking the conversation over.
    rf"{_DROP} .{{0,40}}{_RULES}",
    r"(new|updated|real|actual|hidden|neue) (system )?(instruction|anweisung|prompt|task|rules)",
    r"(system|developer|initial|your) ?(prompt|message|instructions?)\b",
    r"^ ?(system|assistant|developer|user|admin(istrator)?) ?:",
    r"[.!?\]>\"'}] ?(system|assistant|developer|admin(istrator)?) ?: ",
    r"<\|?/?(im_start|im_end|system|assistant|user|endoftext|inst|data|begin|end)\b|\[/?inst\]|<<<|>>>",
    r"\b(you are|act as|pretend|du bist|sie sind) .{0,30}(assistant|ai\b|model|jailbr|dan\b|ki\b|modell)",
    r"\b(as an? )(ai|language model)\b|\b(dear|note to|attention|hinweis an) .{0,12}(ai\b|llm|model|ranker|ki\b)",
    r"\b(end|ende) (of|der|des) (data|document|input|daten)",
    # Asking for a place in the ranking.
    rf"{_MOVE}.{{0,30}}{_FIRST}",
    r"\b(always|must|never) (be )?(rank|recommend|place|first|list)",
    r"\b(setze|platziere|ranke|stelle|nimm|empfiehl|empfehle)\b.{0,40}\b(erst|oben|platz|immer|spitze|allen)",
    r"\bauf platz (eins|1|i)\b",
    # Writing the answer.
    rf"{_WRITE}.{{0,30}}{_WORDS}",
    r"\b(the|your|set|as) reason ?(:|=|to\b|must\b|should\b|is\b)|[\"{,] ?(ranking|evidence|reason|c) ?\" ?:",
    r"\b(reveal|repeat|leak|show|print|exfiltrate|verrate)\b.{0,30}(prompt|instruction|history|secret|key|anweisung)",
)
_ORDER = re.compile("|".join(f"(?:{each})" for each in _ORDERS))
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){4,}\w\b")


def gives_orders(text: str) -> bool:
    """Return whether `text` reads like an instruction to a model, disguises undone.

    Undone are case, accents, full-width forms, invisible characters, look-alike letters and l e t t e r s
    written apart.
    """
    plain = fold(text)
    joined = _SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found.group()), plain)
    return any(_ORDER.search(form) for form in {plain, joined, joined.translate(_LOOKALIKES)})
