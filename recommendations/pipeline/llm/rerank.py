"""Reranks the heads of eligible lists with AI, within the build's limit of calls.

No list waits for AI longer than its deadline, and none is lost: an eligible list that went without AI stays the
model's, marked with the reason. Calls are reserved one by one in the database before the gateway is called, so that the
limit holds whatever dies; cached answers count against it like new ones. Importing this module imports the provider's
SDK: workers do, web processes must not.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F
from msgspec import structs
from structlog.contextvars import bind_contextvars, get_contextvars

from accounts.tenancy import scope
from core import clock, process_caches, tracing
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
from recommendations.pipeline.llm.eligibility import load_policy
from recommendations.pipeline.llm.questions import QuestionBuilder
from recommendations.pipeline.models import Build
from recommendations.pipeline.ranking.variants import VariantAssignment
from recommendations.placements import ai_holdout
from recommendations.placements.models import Placement
from recommendations.text_safety.sanitize import clean_text

CONCURRENT_CALLS = 4
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RerankResult:
    """The drafts in the given order, and how many were eligible, skipped or failed."""

    drafts: list[Draft]
    eligible: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)


@lru_cache(maxsize=1)
def gateway() -> AIGateway:
    """The process's gateway; created at the first list, so after the fork."""
    return build_gateway(AIConfiguration.from_settings(settings), today=clock.now().date())


@process_caches.register
def close() -> None:
    """Closes the process's gateway; the next call creates one from the settings."""
    if gateway.cache_info().currsize:
        gateway().close()
    gateway.cache_clear()


def rerank_heads(
    *,
    build: Build,
    placement: Placement,
    assignment: VariantAssignment,
    drafts: Sequence[Draft],
    facts: Mapping[str, ItemFacts],
    tenant_locale: str,
    checkpoint: Callable[[], None],
) -> RerankResult:
    """Assigns every user's arm, and reranks the heads of the eligible lists, some at a time.

    `checkpoint` is called between calls and may raise to stop the work.
    """
    policy = load_policy(
        placement=placement,
        calls_limit=build.ai_calls_limit,
        assignment=assignment,
        configured=gateway().configured,
    )
    questions = QuestionBuilder(build.tenant_id, facts, tenant_locale, policy.consent, assignment)
    result = RerankResult(list(drafts))
    eligible = []
    for index, draft in enumerate(drafts):
        reason, arm = policy.decide(draft)
        result.drafts[index] = draft.in_arm(arm, policy.share_of(arm))
        if reason:
            result.skipped[reason] += 1
        else:
            eligible.append(index)
    if build.asks_later:
        eligible = _defer_to_batch(build, questions, result, eligible)
    _call_for(build, questions, result, eligible, checkpoint)
    return result


def _call_for(
    build: Build,
    questions: QuestionBuilder,
    result: RerankResult,
    eligible: Sequence[int],
    checkpoint: Callable[[], None],
) -> None:
    """Calls AI for the eligible lists in small waves, until the build's limit is reached."""
    capped = False
    with ThreadPoolExecutor(CONCURRENT_CALLS, "ai", _share_log_context, (get_contextvars(),)) as pool:
        for start in range(0, len(eligible), CONCURRENT_CALLS):
            checkpoint()
            wave = eligible[start : start + CONCURRENT_CALLS]
            granted = [] if capped else [index for index in wave if _reserve_call(build)]
            capped = len(granted) < len(wave)
            result.skipped["cap"] += len(wave) - len(granted)
            for index in set(wave) - set(granted):
                _leave_holdout(result, index)
            requests = [questions.build(result.drafts[index]) for index in granted]
            outcomes = pool.map(tracing.carried(partial(_call, build)), requests)
            for index, outcome in zip(granted, list(outcomes), strict=True):
                result.eligible += 1
                _apply(result, index, outcome, questions.facts)


@dataclass(frozen=True, slots=True)
class _Answer:
    """AI's answer: (item id, reason, titles of the evidence, written by AI), best first."""

    items: Sequence[tuple[str, str, tuple[str, ...], bool]]
    simulated: bool


def _leave_holdout(result: RerankResult, index: int) -> None:
    """Takes an eligible list that AI is not asked about out of AI's arm. Users of an experiment stay in theirs."""
    if result.drafts[index].arm == ai_holdout.AI:
        result.drafts[index] = replace(result.drafts[index], arm=ai_holdout.NONE)


def _defer_to_batch(
    build: Build, questions: QuestionBuilder, result: RerankResult, eligible: Sequence[int]
) -> list[int]:
    """Queues the questions without a cached answer for a batch; returns the other lists."""
    answered = []
    for index in eligible:
        question = gateway().for_batch(tenant_id=build.tenant_id, request=questions.build(result.drafts[index]))
        if question is None:
            answered.append(index)
            continue
        digest, request = question
        queue.enqueue_question(
            tenant_id=build.tenant_id, build_id=build.pk, digest=digest, request=request, now=clock.now()
        )
        _leave_holdout(result, index)
        result.skipped["batch"] += 1
    return answered


def _share_log_context(variables: Mapping[str, Any]) -> None:
    bind_contextvars(**variables)


def _reserve_call(build: Build) -> bool:
    with scope.tenant(build.tenant_id):
        below_limit = Build.objects.filter(tenant_id=build.tenant_id, pk=build.pk, ai_calls__lt=F("ai_calls_limit"))
        return bool(below_limit.update(ai_calls=F("ai_calls") + 1))


def _call(build: Build, request: RerankRequest) -> _Answer | str:
    """AI's answer, or the reason of a failure."""
    try:
        answer = gateway().rerank(
            tenant_id=build.tenant_id,
            request=request,
            now=clock.now(),
            build_id=build.pk,
            deadline_seconds=settings.AI_TIMEOUT_SECONDS,
        )
    except ProviderError as error:
        # Breaker and budget log once when they begin to refuse calls.
        log = _log.debug if error.reason in {"breaker", "budget"} else _log.warning
        log("ai_call_failed", reason=error.reason, detail=error.detail)
        return error.reason
    except Exception:  # noqa: BLE001  # logged, and the list goes on without AI
        # A defect in the AI layer must not cost a user their list.
        _log.exception("ai_call_broke")
        return "error"
    items = [(str(item.item_id), item.reason, item.evidence, item.written_by == "ai") for item in answer.items]
    return _Answer(items, answer.simulated)


def _apply(result: RerankResult, index: int, outcome: _Answer | str, facts: Mapping[str, ItemFacts]) -> None:
    draft = result.drafts[index]
    if isinstance(outcome, str):
        result.fallbacks[outcome] += 1
        result.drafts[index] = replace(draft, degraded=outcome)
        return
    head = {entry.item_id: entry for entry in draft.entries[:HEAD]}
    item_by_title = {
        clean_text(facts[item_id].title, limit=TITLE_LIMIT): item_id
        for item_id, _ in draft.user.events
        if item_id in facts
    }
    entries = []
    for item_id, reason, evidence, by_ai in outcome.items:
        entry = head[item_id]
        if by_ai:
            evidence_ids = tuple(item_by_title[title] for title in evidence if title in item_by_title)
            entry = structs.replace(entry, reason=reason, evidence=evidence_ids, part=entry.part + BY_AI)
        entries.append(entry)
    result.drafts[index] = draft.reranked([*entries, *draft.entries[HEAD:]], simulated=outcome.simulated)
