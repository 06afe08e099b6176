"""From a ranking to the bytes of an answer, and what of it counts as shown."""

import hashlib
import json
from datetime import datetime
from typing import Any

from recommendations.attribution import recommendation_ids
from recommendations.cache.list_codec import MAX_ITEMS
from recommendations.list_kinds import RANK
from recommendations.metrics import LISTS_SERVED
from recommendations.pipeline.lists import entries
from recommendations.serving.page import render as page
from recommendations.serving.page.render import Answer
from recommendations.serving.ranking.ranking_query import LEFT_OUT_DETAILS, Ranking, RankQuery
from recommendations.serving.read.list_query import Subject


def subject_of(query: RankQuery) -> Subject:
    """Return the subject that its impressions count for: the placement's, or @rank where there is none."""
    return Subject(query.tenant_id, query.user_id, query.placement or None, RANK.key)


def render(*, query: RankQuery, ranked: Ranking, now: datetime) -> Answer:
    """The body. The same order, made in the same way, always has the same recommendation id.

    With include=item one statement. The first 100 items count as shown, like the most that a list shows.
    """
    options, subject = query.options, subject_of(query)
    shown = ranked.entries[: options.limit]
    items: list[dict[str, Any]] = []
    for place, entry in enumerate(shown, start=1):
        item = entry.as_dict(place)
        if options.explain:
            item["explain"] = {"part": entry.part}
        items.append(item)
    if options.include_item:
        page.include_items(query.tenant_id, items, options.item_attributes)
    item_ids = [entry.item_id for entry in shown]
    label = recommendation_ids.label(subject.placement, subject.reference)
    identity = json.dumps([subject.binding(), ranked.artefact, ranked.source, ranked.degraded, item_ids])
    recommendation_id = recommendation_ids.make(identity, source=ranked.source, placement=label, arm=ranked.arm)
    body = {
        "recommendation_id": recommendation_id,
        "user_id": query.user_id,
        "placement": subject.placement,
        "source": ranked.source,
        "degraded": ranked.degraded,
        "simulated": ranked.simulated,
        "artefact": ranked.artefact,
        "generated_at": entries.rfc3339(now),
        "items": items,
        "left_out": [
            {"item_id": item_id, "code": code, "detail": LEFT_OUT_DETAILS[code]}
            for item_id, code in ranked.left_out.items()
        ],
    }
    LISTS_SERVED.labels(ranked.source, ranked.degraded or "none").inc()
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    tag = f'"{hashlib.blake2b(raw, digest_size=16).hexdigest()}"'
    counted = item_ids[:MAX_ITEMS]
    return Answer(raw, tag, None, recommendation_id, label, ranked.arm, ranked.source, counted)
