"""Builds a rerank question for one user and parses its answer: a new order with a reason for each item.

1. Shuffle the candidates, seeded by the user's key: language models favour the first positions
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
"""Small, because the model's order is good evidence and a text that evades the screen gains no more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    """One user's short list. `candidates` is in the model's order, best first, at most 30."""

    user_key: str
    """Pseudonymous and stable; it seeds the shuffle and is never sent."""
    candidates: Sequence[Candidate]
    history: Sequence[HistoryItem] = ()
    """Latest first."""
    user_attributes: Mapping[str, str] = field(default_factory=dict)
    """The user's attributes that may be sent."""
    locale: str = "en"
    max_rise: int = MAX_RISE
    """Maximum number of places that a candidate may gain; 0 keeps the order and asks for reasons only."""
    prompt: str = PROMPT_VERSION
    """Version of the prompt."""

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
    """One item in its new position, with the sentence to show."""

    item_id: ItemId
    reason: str
    evidence: tuple[str, ...]
    """Titles from the history or facts that support the reason."""
    written_by: str
    """`ai`, or `template` where the model gave none or a bad one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankResult:
    """A complete list, its cost, and the repairs that validation made."""

    items: tuple[RerankedItem, ...]
    order: RepairedOrder
    violations: Mapping[str, int]
    """Number of dropped reasons by rule."""
    completion: Completion
    prompt_version: str
    simulated: bool
    cached: bool = False
    """True for an answer from the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankQuestion:
    """A request as sent to the provider, with the data needed to parse its answer."""

    request: RerankRequest
    shuffled: Sequence[tuple[int, Candidate]]
    sheet: FactSheet
    completion_request: CompletionRequest


def build_question(request: RerankRequest) -> RerankQuestion:
    """Return the question, a pure function of the request."""
    shuffled = _shuffled(request)
    sheet = fact_sheet(history=request.history, user_attributes=request.user_attributes, candidates=shuffled)
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
    """Return the validated list of an answer, a pure function of the two.

    Raises:
        ProviderError: `invalid`, with the usage: the answer names less than half of the candidates.
    """
    request, shuffled, sheet = question.request, question.shuffled, question.sheet
    try:
        entries = _entries(completion)
        order = repair_order([each.get("c") for each in entries], sheet=sheet, max_rise=request.max_rise)
    except ProviderError as error:
        error.usage = completion.usage
        raise
    answers = {each["c"]: each for each in reversed(entries) if is_candidate_number(each.get("c"), count=len(shuffled))}
    violations: Counter[str] = Counter()
    items = tuple(
        _item(shuffled[number][1], answers.get(number), number, request=request, sheet=sheet, violations=violations)
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
    """Return the provider's request for a fact sheet."""
    return CompletionRequest(
        purpose="rerank",
        messages=rerank_messages(sheet, locale=language(locale), version=prompt),
        schema_name=SCHEMA_NAME,
        schema=RERANK_SCHEMA,
        prompt_version=prompt,
        contents=content_summary(sheet),
    )


def subject_digest(user_key: str) -> str:
    """Return the digest by which cached answers and the request log name a user."""
    return hashlib.sha256(user_key.encode()).hexdigest()


def _shuffled(request: RerankRequest) -> list[tuple[int, Candidate]]:
    """Return (rank, candidate) pairs in an order that is stable per user."""
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
    answer: Mapping[str, object] | None,
    number: int,
    *,
    request: RerankRequest,
    sheet: FactSheet,
    violations: Counter[str],
) -> RerankedItem:
    facts = sheet.candidates[number]
    if answer is not None and not facts.withheld:
        text, refs = answer.get("reason"), answer.get("evidence")
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
