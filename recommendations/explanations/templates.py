"""Template reasons: true by construction, in the reader's language, never empty.

Each part of the model (a named algorithm) has one kind of reason; reasons based on liked items quote at
most two titles. A reason says only what the part really used: without evidence it names none.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from recommendations.list_kinds import KINDS, Reason
from recommendations.text_safety.links import holds_address
from recommendations.text_safety.prompt_injection import gives_orders
from recommendations.text_safety.sanitize import clean_text

FALLBACK_LOCALE = "en"
TITLE_LIMIT = 80
REMEMBERED_TITLES = 16_384
REMEMBERED_LOCALES = 1_024

PARTS: Mapping[str, Reason] = {
    "popularity": "popular",
    "recent_popularity": "trending",
    "text": "similar",
    "tfidf": "similar",
    "semantic": "similar",
    "co_occurrence": "together",
    "next_item": "after",
    **{kind.key: kind.reason for kind in KINDS.values()},
}
"""Kind of reason by part; every other part rests on the user's history ("liked")."""

# For each kind: without a title, with one, with two.
_TEMPLATES: Mapping[str, Mapping[Reason, tuple[str, str, str]]] = {
    "en": {
        "liked": ("Matches what you liked", "Because you liked {0}", "Because you liked {0} and {1}"),
        "similar": ("Similar to what you liked", "Similar to {0}", "Similar to {0} and {1}"),
        "together": ("Often chosen together", "Often chosen with {0}", "Often chosen with {0} and {1}"),
        "after": ("A frequent next choice", "Often chosen after {0}", "Often chosen after {0} and {1}"),
        "session": ("Fits this visit", "Goes with {0}", "Goes with {0} and {1}"),
        "popular": ("Popular with everybody",) * 3,
        "trending": ("Popular right now",) * 3,
        "latest": ("New in the catalogue",) * 3,
        "featured": ("Featured",) * 3,
        "general": ("Recommended",) * 3,
    },
    "de": {
        "liked": (
            "Passt zu dem, was Ihnen gefallen hat",
            "Weil Ihnen {0} gefallen hat",
            "Weil Ihnen {0} und {1} gefallen haben",
        ),
        "similar": ("Ähnlich wie das, was Ihnen gefallen hat", "Ähnlich wie {0}", "Ähnlich wie {0} und {1}"),
        "together": ("Oft zusammen gewählt", "Oft zusammen mit {0} gewählt", "Oft mit {0} und {1} gewählt"),
        "after": ("Oft als Nächstes gewählt", "Oft nach {0} gewählt", "Oft nach {0} und {1} gewählt"),
        "session": ("Passt zu diesem Besuch", "Passt zu {0}", "Passt zu {0} und {1}"),
        "popular": ("Bei allen beliebt",) * 3,
        "trending": ("Gerade beliebt",) * 3,
        "latest": ("Neu im Katalog",) * 3,
        "featured": ("Ausgewählt",) * 3,
        "general": ("Empfohlen",) * 3,
    },
    "fr": {
        "liked": ("Selon vos goûts", "Parce que vous avez aimé {0}", "Parce que vous avez aimé {0} et {1}"),
        "similar": ("Proche de ce que vous avez aimé", "Proche de {0}", "Proche de {0} et {1}"),
        "together": ("Souvent choisis ensemble", "Souvent choisi avec {0}", "Souvent choisi avec {0} et {1}"),
        "after": ("Souvent choisi ensuite", "Souvent choisi après {0}", "Souvent choisi après {0} et {1}"),
        "session": ("Dans l'esprit de cette visite", "Va bien avec {0}", "Va bien avec {0} et {1}"),
        "popular": ("Apprécié de tous",) * 3,
        "trending": ("Populaire en ce moment",) * 3,
        "latest": ("Nouveau au catalogue",) * 3,
        "featured": ("À la une",) * 3,
        "general": ("Recommandé",) * 3,
    },
    "es": {
        "liked": ("Según sus gustos", "Porque le gustó {0}", "Porque le gustaron {0} y {1}"),
        "similar": ("Parecido a lo que le gustó", "Parecido a {0}", "Parecido a {0} y {1}"),
        "together": ("A menudo se eligen juntos", "A menudo elegido con {0}", "A menudo elegido con {0} y {1}"),
        "after": ("Una elección frecuente después", "Elegido a menudo tras {0}", "Elegido a menudo tras {0} y {1}"),
        "session": ("Adecuado para esta visita", "Combina con {0}", "Combina con {0} y {1}"),
        "popular": ("Popular entre todos",) * 3,
        "trending": ("Popular ahora mismo",) * 3,
        "latest": ("Nuevo en el catálogo",) * 3,
        "featured": ("Destacado",) * 3,
        "general": ("Recomendado",) * 3,
    },
    "it": {
        "liked": ("In linea con i suoi gusti", "Perché le è piaciuto {0}", "Perché le sono piaciuti {0} e {1}"),
        "similar": ("Simile a ciò che le è piaciuto", "Simile a {0}", "Simile a {0} e {1}"),
        "together": ("Spesso scelti insieme", "Spesso scelto con {0}", "Spesso scelto con {0} e {1}"),
        "after": ("Spesso scelto in seguito", "Spesso scelto dopo {0}", "Spesso scelto dopo {0} e {1}"),
        "session": ("Adatto a questa visita", "Si abbina a {0}", "Si abbina a {0} e {1}"),
        "popular": ("Apprezzato da tutti",) * 3,
        "trending": ("Popolare in questo momento",) * 3,
        "latest": ("Nuovo nel catalogo",) * 3,
        "featured": ("In evidenza",) * 3,
        "general": ("Consigliato",) * 3,
    },
    "nl": {
        "liked": ("Past bij wat u mooi vond", "Omdat u {0} mooi vond", "Omdat u {0} en {1} mooi vond"),
        "similar": ("Lijkt op wat u mooi vond", "Lijkt op {0}", "Lijkt op {0} en {1}"),
        "together": ("Vaak samen gekozen", "Vaak samen met {0} gekozen", "Vaak met {0} en {1} gekozen"),
        "after": ("Vaak daarna gekozen", "Vaak na {0} gekozen", "Vaak na {0} en {1} gekozen"),
        "session": ("Past bij dit bezoek", "Past bij {0}", "Past bij {0} en {1}"),
        "popular": ("Bij iedereen geliefd",) * 3,
        "trending": ("Nu populair",) * 3,
        "latest": ("Nieuw in de catalogus",) * 3,
        "featured": ("Uitgelicht",) * 3,
        "general": ("Aanbevolen",) * 3,
    },
    "pt": {
        "liked": ("De acordo com os seus gostos", "Porque gostou de {0}", "Porque gostou de {0} e {1}"),
        "similar": ("Parecido com o que gostou", "Parecido com {0}", "Parecido com {0} e {1}"),
        "together": ("Muitas vezes escolhidos juntos", "Muitas vezes escolhido com {0}", "Muitas vezes com {0} e {1}"),
        "after": ("Muitas vezes escolhido depois", "Escolhido muitas vezes após {0}", "Muitas vezes após {0} e {1}"),
        "session": ("Adequado a esta visita", "Combina com {0}", "Combina com {0} e {1}"),
        "popular": ("Do agrado de todos",) * 3,
        "trending": ("Popular neste momento",) * 3,
        "latest": ("Novo no catálogo",) * 3,
        "featured": ("Em destaque",) * 3,
        "general": ("Recomendado",) * 3,
    },
}
LOCALES = frozenset(_TEMPLATES)

_MARKUP = re.compile(r"<|>|\]\(")


def explain(*, part: str, evidence: Sequence[str] = (), locale: str = FALLBACK_LOCALE) -> str:
    """Return the sentence for an item that `part` proposed because of the titles in `evidence`.

    `part` is a name from `PARTS`, optionally with a variant ("trending:7d"); `locale` a language tag
    (RFC 5646), of which the language counts; unknown ones are answered in English. `part` may be empty where
    nothing is known: then the sentence claims nothing.
    """
    kind: Reason = PARTS.get(part.split(":", 1)[0], "liked") if part else "general"
    titles = quotable(evidence)
    return _TEMPLATES[language(locale)][kind][len(titles)].format(*titles)


@lru_cache(maxsize=REMEMBERED_LOCALES)
def language(locale: str) -> str:
    """Return the supported language for a language tag, English by default."""
    primary = _primary(locale)
    return primary if primary in LOCALES else FALLBACK_LOCALE


def speaks(locale: str) -> bool:
    """Return whether the language of a tag is supported."""
    return _primary(locale) in LOCALES


def _primary(locale: str) -> str:
    return re.split(r"[-_]", locale.strip().lower(), maxsplit=1)[0]


def quotable(titles: Sequence[str]) -> tuple[str, ...]:
    """Return up to two different titles; those that hold links, markup or orders to a model are left out."""
    return tuple(dict.fromkeys(each for title in titles if (each := _quoted(title))))[:2]


@lru_cache(maxsize=REMEMBERED_TITLES)
def _quoted(title: str) -> str:
    """The title as it may be quoted, or nothing; remembered, because a liked title is quoted in many lists."""
    cleaned = clean_text(title, limit=TITLE_LIMIT)
    unfit = _MARKUP.search(cleaned) or holds_address(cleaned) or gives_orders(cleaned)
    return "" if unfit else cleaned
