"""Reorders a short list for one person and gives each item a reason, with a provider's help.

1. Shuffle the candidates by a seed drawn from the person's key: language models favour what stands first
   (Hou et al., "Large Language Models are Zero-Shot Rankers for Recommender Systems", ECIR 2024).
2. Ask, with every text as data and items named by short numbers only.
3. Repair the order and bound how far anything rises; refuse an answer that names less than half.
4. Hold every reason against its evidence; replace those that fail by a template.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError
from recommendations.ai.reranking.fact_sheet import (
    Candidate,
    FactSheet,
    HistoryItem,
    ItemId,
    content_summary,
    fact_sheet,
)
from recommendations.ai.reranking.order_validation import RepairedOrder, is_candidate_number, repair_order
from recommendations.ai.reranking.prompts import PROMPT_VERSION, RERANK_SCHEMA, SCHEMA_NAME, VERSIONS, rerank_messages
from recommendations.ai.reranking.reason_validation import check_reason, evidence_texts
from recommendations.explanations.templates import explain, language, quotable

MIN_CANDIDATES = 2
MAX_CANDIDATES = 30
MAX_RISE = 5
"""Small, because the model's order is good evidence and a text that gets around the screen gains no more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    """One person's short list. ``candidates`` is in the model's order, best first, at most 30."""

    user_key: str
    """Pseudonymous and stable; it seeds the shuffle and does not leave the house."""
    candidates: Sequence[Candidate]
    history: Sequence[HistoryItem] = ()
    """Latest first."""
    person: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the person that the tenant has released."""
    locale: str = "en"
    max_rise: int = MAX_RISE
    """How many places a candidate may gain; 0 keeps the order and asks for reasons only."""
    prompt: str = PROMPT_VERSION
    """Which of the prompts' versions asks."""

    def __post_init__(self) -> None:
        if not MIN_CANDIDATES <= len(self.candidates) <= MAX_CANDIDATES:
            raise ValueError(
                f"candidates holds {len(self.candidates)} items; give {MIN_CANDIDATES} to {MAX_CANDIDATES}"
            )
        if self.max_rise < 0:
            raise ValueError(f"max_rise is {self.max_rise}; give 0 or more")
        if len({each.item_id for each in self.candidates}) < len(self.candidates):
            raise ValueError("candidates names an item twice; give each once")
        if self.prompt not in VERSIONS:
            raise ValueError(f"there is no prompt {self.prompt!r}; give one of {', '.join(VERSIONS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankedItem:
    """One item in its new place, with the sentence to show."""

    item_id: ItemId
    reason: str
    evidence: tuple[str, ...]
    """What the reason rests on, as readable texts: titles from the history or facts."""
    written_by: str
    """``ai``, or ``template`` where the model gave none or a bad one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankResult:
    """A complete list, what it cost and what the guards did."""

    items: tuple[RerankedItem, ...]
    order: RepairedOrder
    violations: Mapping[str, int]
    """Dropped reasons by rule."""
    completion: Completion
    prompt_version: str
    simulated: bool
    cached: bool = False
    """The answer was paid for before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankQuestion:
    """A request as the provider is asked it, with what is needed to read the answer."""

    request: RerankRequest
    shuffled: Sequence[tuple[int, Candidate]]
    sheet: FactSheet
    completion_request: CompletionRequest


def build_question(request: RerankRequest) -> RerankQuestion:
    """Return the question; the same request makes the same question."""
    shuffled = _shuffled(request)
    sheet = fact_sheet(history=request.history, person=request.person, candidates=shuffled)
    return RerankQuestion(
        request=request,
        shuffled=shuffled,
        sheet=sheet,
        completion_request=replace(
            completion_request(sheet, locale=request.locale, prompt=request.prompt),
            subject=subject_digest(request.user_key),
        ),
    )


def parse_answer(question: RerankQuestion, completion: Completion, *, simulated: bool) -> RerankResult:
    """Return the list that an answer makes, guarded; the same answer makes the same list.

    Raises:
        ProviderError: ``invalid``, with the usage: the answer names less than half of the candidates.
    """
    request, shuffled, sheet = question.request, question.shuffled, question.sheet
    try:
        entries = _entries(completion)
        order = repair_order([each.get("c") for each in entries], sheet=sheet, max_rise=request.max_rise)
    except ProviderError as error:
        error.usage = completion.usage
        raise
    said = {each["c"]: each for each in reversed(entries) if is_candidate_number(each.get("c"), count=len(shuffled))}
    violations: Counter[str] = Counter()
    items = tuple(
        _item(shuffled[number][1], said.get(number), number, request=request, sheet=sheet, violations=violations)
        for number in order.numbers
    )
    return RerankResult(
        items=items,
        order=order,
        violations=dict(violations),
        completion=completion,
        prompt_version=request.prompt,
        simulated=simulated,
    )


def completion_request(sheet: FactSheet, *, locale: str, prompt: str = PROMPT_VERSION) -> CompletionRequest:
    """Return the question for a sheet of facts: what a preview of costs counts and a cache digests."""
    return CompletionRequest(
        purpose="rerank",
        messages=rerank_messages(sheet, locale=language(locale), version=prompt),
        schema_name=SCHEMA_NAME,
        schema=RERANK_SCHEMA,
        prompt_version=prompt,
        contents=content_summary(sheet),
    )


def subject_digest(user_key: str) -> str:
    """Return how answers and the log name the person they are about."""
    return hashlib.sha256(user_key.encode()).hexdigest()


def _shuffled(request: RerankRequest) -> list[tuple[int, Candidate]]:
    """Return (rank, candidate) pairs in an order that is the same for the same person."""
    ranked = list(enumerate(request.candidates, start=1))
    seed = hashlib.sha256(request.user_key.encode()).digest()
    random.Random(seed).shuffle(ranked)  # noqa: S311 - no secret: it must be repeatable
    return ranked


def _entries(completion: Completion) -> list[Mapping[str, object]]:
    ranking = completion.content.get("ranking")
    if not isinstance(ranking, list):
        raise ProviderError("invalid", detail="the answer holds no list named ranking")
    return [each if isinstance(each, Mapping) else {} for each in ranking]


def _item(
    candidate: Candidate,
    said: Mapping[str, object] | None,
    number: int,
    *,
    request: RerankRequest,
    sheet: FactSheet,
    violations: Counter[str],
) -> RerankedItem:
    facts = sheet.candidates[number]
    if said is not None and not facts.withheld:
        text, refs = said.get("reason"), said.get("evidence")
        broken = check_reason(text, refs, sheet=sheet, candidate=facts, language=language(request.locale))
        if broken is None:
            return RerankedItem(
                item_id=candidate.item_id,
                reason=str(text),
                evidence=evidence_texts(refs, sheet=sheet, candidate=facts),
                written_by="ai",
            )
        violations[broken] += 1
    return RerankedItem(
        item_id=candidate.item_id,
        reason=explain(part=candidate.part, evidence=candidate.evidence, locale=request.locale),
        evidence=quotable(candidate.evidence),
        written_by="template",
    )
