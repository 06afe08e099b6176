"""The language of an answer's reasons: the user's, else the one that the request prefers, else the tenant's.

Lists that belong to no user are written in the tenant's language, and translated for readers of another
(docs/adr/0051). It costs no query: a user's language is stored with their list, or with its placeholder.
"""

from typing import Any

from accounts.tenancy import tenant_cache
from recommendations.cache.list_codec import Voice
from recommendations.explanations import templates
from recommendations.serving.read.list_query import Options
from recommendations.serving.read.resolved import ResolvedList


def of_tenant(tenant_id: int) -> str:
    """Return the language of the tenant's users who have none of their own."""
    facts = tenant_cache.tenant(tenant_id)
    return templates.language(facts.locale if facts else templates.FALLBACK_LOCALE)


def of_answer(resolved: ResolvedList, options: Options, tenant_id: int) -> str:
    """Return the language in which this list is read."""
    return resolved.language or options.language or of_tenant(tenant_id)


def is_spoken(voice: Voice | None, language: str) -> bool:
    """Tell if the list's reasons are in this language, or in none."""
    return voice is None or voice.language == language


def retell(entries: list[dict[str, Any]], voice: Voice | None, language: str) -> None:
    """Writes the reasons of these entries, each with its `part`, in the reader's language, where that is another."""
    if voice is None or voice.language == language:
        return
    reasons: dict[tuple[str, bool], str] = {}
    for entry in entries:
        key = voice.part or entry["part"], bool(entry["evidence"])
        if key not in reasons:
            reasons[key] = templates.explain(part=key[0], evidence=voice.titles if key[1] else (), locale=language)
        entry["reason"] = reasons[key]
