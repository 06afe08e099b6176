"""AI over the heads of lists: for whom, how many calls, and what happens when the provider does not answer.

No list waits for AI longer than its deadline, and none is lost to it: whoever was meant for AI and did not get it
keeps the model's list, marked with the reason. The build's cap is taken list by list in the database, before the
gateway is asked, so it holds whatever dies; stored answers count against it like new ones. Importing this module
imports the vendor's SDK: workers do, web processes must not.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

import structlog
from django.conf import settings
from django.db.models import F

from accounts.tenancy import scope
from core import clock, process_caches
from recommendations.ai.batch import queue
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.factory import build_gateway
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.protocol import ProviderError
from recommendations.ai.reranking.fact_sheet import TITLE_LIMIT
from recommendations.ai.reranking.rerank import RerankRequest
from recommendations.cache.list_codec import HEAD
from recommendations.pipeline.lists.entries import BY_AI, Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.llm.eligibility import choice_of
from recommendations.pipeline.llm.questions import Asking
from recommendations.pipeline.models import Build
from recommendations.pipeline.ranking.variants import Following
from recommendations.placements import ai_holdout
from recommendations.placements.models import Placement
from recommendations.text_safety.sanitize import clean_text

CONCURRENT_CALLS = 4
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Reranked:
    """The drafts in the order given, and for how many of them AI was meant, skipped or failed."""

    drafts: list[Draft]
    meant: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=1)
def gateway() -> AIGateway:
    """The process's gateway; made at the first list, so after the fork."""
    return build_gateway(AIConfiguration.from_settings(settings), today=clock.now().date())


@process_caches.register
def forget() -> None:
    """Closes the process's gateway and forgets it; the next question makes one by the settings then."""
    if gateway.cache_info().currsize:
        gateway().close()
    gateway.cache_clear()


def rerank_heads(
    *,
    build: Build,
    placement: Placement,
    following: Following,
    drafts: Sequence[Draft],
    facts: Mapping[str, ItemFacts],
    tenant_locale: str,
    between: Callable[[], None],
) -> Reranked:
    """Names everybody's arm, and lets AI reorder the heads of the lists that are meant for it, some at a time.

    `between` is called between calls and may raise to stop the work.
    """
    result = Reranked(list(drafts))
    choice = choice_of(
        placement=placement,
        calls_limit=build.ai_calls_limit,
        following=following,
        configured=gateway().configured,
    )
    asking = Asking(build.tenant_id, facts, tenant_locale, choice.released, following)
    eligible = []
    for place, each in enumerate(drafts):
        reason, arm = choice.decide(each)
        result.drafts[place] = each.in_arm(arm, choice.share_of(arm))
        if reason:
            result.skipped[reason] += 1
        else:
            eligible.append(place)
    if build.asks_later:
        eligible = _leave_for_later(build, asking, result, eligible)
    capped = False
    with ThreadPoolExecutor(max_workers=CONCURRENT_CALLS, thread_name_prefix="ai") as pool:
        for at in range(0, len(eligible), CONCURRENT_CALLS):
            between()
            wave = eligible[at : at + CONCURRENT_CALLS]
            granted = [] if capped else [place for place in wave if _reserve_call(build)]
            capped = len(granted) < len(wave)
            result.skipped["cap"] += len(wave) - len(granted)
            for place in set(wave) - set(granted):
                _leave_comparison(result, place)
            requests = [asking.request(result.drafts[place]) for place in granted]
            outcomes = pool.map(lambda request: _call(build, request), requests)
            for place, outcome in zip(granted, list(outcomes), strict=True):
                result.meant += 1
                _apply(result, place, outcome, facts)
    return result


@dataclass(frozen=True, slots=True)
class _Answer:
    """What AI said: (item id, reason, evidence as texts, written by AI), best first."""

    items: Sequence[tuple[str, str, tuple[str, ...], bool]]
    simulated: bool


def _leave_comparison(result: Reranked, place: int) -> None:
    """AI was meant for the list and is not asked now: it leaves AI's arm. An experiment's people stay in theirs."""
    if result.drafts[place].arm == ai_holdout.AI:
        result.drafts[place] = replace(result.drafts[place], arm=ai_holdout.NONE)


def _leave_for_later(build: Build, asking: Asking, result: Reranked, eligible: Sequence[int]) -> list[int]:
    """Lets the questions that nobody has answered yet wait for a batch; returns the others."""
    answered = []
    for place in eligible:
        question = gateway().for_batch(tenant_id=build.tenant_id, request=asking.request(result.drafts[place]))
        if question is None:
            answered.append(place)
            continue
        digest, asked = question
        queue.enqueue_question(
            tenant_id=build.tenant_id, build_id=build.pk, digest=digest, request=asked, now=clock.now()
        )
        _leave_comparison(result, place)
        result.skipped["batch"] += 1
    return answered


def _reserve_call(build: Build) -> bool:
    with scope.tenant(build.tenant_id):
        under = Build.objects.filter(tenant_id=build.tenant_id, pk=build.pk, ai_calls__lt=F("ai_calls_limit"))
        return bool(under.update(ai_calls=F("ai_calls") + 1))


def _call(build: Build, request: RerankRequest) -> _Answer | str:
    """What AI says; a failure comes back as its reason."""
    try:
        answer = gateway().rerank(
            tenant_id=build.tenant_id,
            request=request,
            now=clock.now(),
            build_id=build.pk,
            deadline_seconds=settings.AI_TIMEOUT_SECONDS,
        )
    except ProviderError as error:
        # What breaker and budget refuse they have logged once, when they began to.
        log = _log.debug if error.reason in {"breaker", "budget"} else _log.warning
        log("ai_call_failed", reason=error.reason, detail=error.detail)
        return error.reason
    except Exception:  # noqa: BLE001  # logged, and the list goes on without AI
        # A defect in the AI layer must not cost anybody their list.
        _log.exception("ai_call_broke")
        return "error"
    items = [(str(each.item_id), each.reason, each.evidence, each.written_by == "ai") for each in answer.items]
    return _Answer(items, answer.simulated)


def _apply(result: Reranked, place: int, outcome: _Answer | str, facts: Mapping[str, ItemFacts]) -> None:
    each = result.drafts[place]
    if isinstance(outcome, str):
        result.fallbacks[outcome] += 1
        result.drafts[place] = replace(each, degraded=outcome)
        return
    head = {entry.item_id: entry for entry in each.entries[:HEAD]}
    by_title = {
        clean_text(facts[item_id].title, limit=TITLE_LIMIT): item_id
        for item_id, _ in each.person.events
        if item_id in facts
    }
    entries = []
    for item_id, reason, evidence, by_ai in outcome.items:
        entry = head[item_id]
        if by_ai:
            rests_on = tuple(by_title[text] for text in evidence if text in by_title)
            entry = replace(entry, reason=reason, evidence=rests_on, part=entry.part + BY_AI)
        entries.append(entry)
    result.drafts[place] = each.reranked([*entries, *each.entries[HEAD:]], simulated=outcome.simulated)
