"""The language of an answer's reasons: the person's, else the one that the request prefers, else the tenant's.

Lists that are nobody's are written in the tenant's language, and told anew for readers of another (docs/adr/0052).
Nothing is asked of a server for it: a person's language travels with their list, or with what says why there is none.
"""

from typing import Any

from accounts.tenancy import tenant_cache
from recommendations.cache.list_codec import Voice
from recommendations.explanations import templates
from recommendations.serving.read.list_query import Options
from recommendations.serving.read.resolved import ResolvedList


def of_tenant(tenant_id: int) -> str:
    """The language of the tenant's people who have none of their own."""
    facts = tenant_cache.tenant(tenant_id)
    return templates.language(facts.locale if facts else templates.FALLBACK_LOCALE)


def of_answer(resolved: ResolvedList, options: Options, tenant_id: int) -> str:
    """The language in which this list is read."""
    return resolved.language or options.language or of_tenant(tenant_id)


def stands(voice: Voice | None, language: str) -> bool:
    """Whether the list's reasons may be read as they are."""
    return voice is None or voice.language == language


def retell(entries: list[dict[str, Any]], voice: Voice | None, language: str) -> None:
    """Writes the reasons of these entries, each with its `part`, in the reader's language, where that is another."""
    if voice is None or voice.language == language:
        return
    said: dict[tuple[str, bool], str] = {}
    for entry in entries:
        key = voice.part or entry["part"], bool(entry["evidence"])
        if key not in said:
            said[key] = templates.explain(part=key[0], evidence=voice.titles if key[1] else (), locale=language)
        entry["reason"] = said[key]
