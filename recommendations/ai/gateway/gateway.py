"""The only entry to the language model: cached answer, else retries over a guarded provider.

The caller gets a list, or a `ProviderError` whose reason its fallback is counted under: breaker, budget, timeout,
throttled, error, invalid.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from recommendations.ai.gateway import response_cache
from recommendations.ai.gateway.guarded_call import GatewayDependencies, GuardedProvider
from recommendations.ai.metrics import AI_REQUESTS
from recommendations.ai.privacy.consent import sharing_consent
from recommendations.ai.protocol import Completion, CompletionRequest, Provider, ProviderError, Usage
from recommendations.ai.providers.retry import RetryingProvider, RetryPolicy
from recommendations.ai.reranking.rerank import (
    RerankQuestion,
    RerankRequest,
    RerankResult,
    build_question,
    parse_answer,
)
from recommendations.ai.resilience.circuit_breaker import CircuitBreaker

_log = structlog.get_logger(__name__)


class AIGateway:
    """Shared by all threads of a process; build it with `factory.build_gateway` after the fork."""

    def __init__(
        self,
        dependencies: GatewayDependencies,
        *,
        origin: str,
        timeout_seconds: float,
        retries: RetryPolicy | None = None,
    ) -> None:
        self._dependencies = dependencies
        self._origin = origin
        self._timeout_seconds = timeout_seconds
        self._retries = retries

    def with_provider(self, provider: Provider) -> "AIGateway":
        """Return a gateway with the same guards around another provider."""
        dependencies = replace(self._dependencies, provider=provider)
        return AIGateway(
            dependencies, origin=self._origin, timeout_seconds=self._timeout_seconds, retries=self._retries
        )

    @property
    def configured(self) -> bool:
        """True where there is a provider to call; without one no list is meant for AI."""
        return self._dependencies.provider.configured

    @property
    def simulated(self) -> bool:
        """True where answers come from the bundled simulator and must be labelled."""
        return self._dependencies.provider.simulated

    @property
    def model(self) -> str:
        """Name of the model, or an empty string."""
        return self._dependencies.provider.model

    @property
    def breaker(self) -> CircuitBreaker:
        """The circuit breaker, for operators to inspect, open and reset."""
        return self._dependencies.breaker

    def rerank(
        self,
        *,
        tenant_id: int,
        request: RerankRequest,
        now: datetime,
        deadline_seconds: float | None = None,
        build_id: int | None = None,
        purpose: str = "rerank",
    ) -> RerankResult:
        """Return all candidates in a new order, each with a reason; a cached answer costs nothing.

        No transaction may be open, because budgets commit their own. `deadline_seconds` defaults to AI_TIMEOUT_SECONDS.

        Raises:
            ProviderError: there is no usable answer; the caller keeps the model's list.
        """
        question = _for_purpose(build_question(request), purpose)
        with self._counting_outcome(), closing_new_connection():
            digest = response_cache.request_digest(question.completion_request, model=self.model, origin=self._origin)
            cached = self._cached(tenant_id, digest, question)
            if cached is not None:
                AI_REQUESTS.labels("cached").inc()
                return cached
            completion = self._call(
                tenant_id=tenant_id,
                request=question.completion_request,
                now=now,
                deadline_seconds=deadline_seconds,
                build_id=build_id,
                check=lambda answer: parse_answer(question, answer, simulated=self.simulated),
            )
            self._cache(tenant_id, digest, question, completion, now)
            AI_REQUESTS.labels("ok").inc()
            return parse_answer(question, completion, simulated=self.simulated)

    def complete(
        self,
        *,
        tenant_id: int,
        request: CompletionRequest,
        now: datetime,
        deadline_seconds: float | None = None,
        build_id: int | None = None,
    ) -> Completion:
        """Answer one question under the same guards; nothing is cached.

        Raises:
            ProviderError: there is no usable answer.
        """
        with self._counting_outcome(), closing_new_connection():
            completion = self._call(
                tenant_id=tenant_id,
                request=request,
                now=now,
                deadline_seconds=deadline_seconds,
                build_id=build_id,
                check=lambda _answer: None,
            )
            AI_REQUESTS.labels("ok").inc()
            return completion

    def for_batch(self, *, tenant_id: int, request: RerankRequest) -> tuple[str, CompletionRequest] | None:
        """Return a question and its digest for a batch, or None where the answer is cached."""
        question = build_question(request).completion_request
        digest = response_cache.request_digest(question, model=self.model, origin=self._origin)
        return None if response_cache.load(tenant_id=tenant_id, digest=digest) else (digest, question)

    def close(self) -> None:
        """Close connections and threads; the next call opens new ones."""
        self._dependencies.provider.close()

    def _call(
        self,
        *,
        tenant_id: int,
        request: CompletionRequest,
        now: datetime,
        deadline_seconds: float | None,
        build_id: int | None,
        check: Callable[[Completion], object],
    ) -> Completion:
        if not self.configured:
            raise ProviderError("error", permanent=True, detail="AI is off: OPENAI_API_KEY is not set")
        if not sharing_consent(tenant_id).enabled:
            raise ProviderError("error", permanent=True, detail="the tenant has switched AI off")
        guarded = GuardedProvider(self._dependencies, tenant_id=tenant_id, build_id=build_id, now=now, check=check)
        deadline = self._timeout_seconds if deadline_seconds is None else deadline_seconds
        return RetryingProvider(guarded, policy=self._retries).complete(request, deadline_seconds=deadline)

    def _cached(self, tenant_id: int, digest: str, question: RerankQuestion) -> RerankResult | None:
        content = response_cache.load(tenant_id=tenant_id, digest=digest)
        if content is None:
            return None
        answer = Completion(content=content, usage=Usage(), model=self.model, latency_seconds=0.0, attempts=0)
        try:
            return replace(parse_answer(question, answer, simulated=self.simulated), cached=True)
        except ProviderError:
            return None  # validation is stricter than when it was cached: ask again

    def _cache(
        self, tenant_id: int, digest: str, question: RerankQuestion, completion: Completion, now: datetime
    ) -> None:
        try:
            response_cache.store(
                tenant_id=tenant_id,
                digest=digest,
                subject=question.completion_request.subject,
                request=question.completion_request,
                model=self.model,
                content=completion.content,
                now=now,
            )
        except DatabaseError as error:
            _log.warning("ai_answer_not_kept", error=str(error))

    @contextmanager
    def _counting_outcome(self) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            AI_REQUESTS.labels(error.reason).inc()
            raise
        except DatabaseError as error:
            AI_REQUESTS.labels("error").inc()
            raise ProviderError("error", permanent=True, detail=f"database: {error}") from error
        except Exception:
            AI_REQUESTS.labels("error").inc()
            raise


@contextmanager
def closing_new_connection() -> Iterator[None]:
    """Close the thread's database connection at the end if it was opened inside.

    A pool's thread would otherwise leave it open when it ends.
    """
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()


def _for_purpose(question: RerankQuestion, purpose: str) -> RerankQuestion:
    return replace(question, completion_request=replace(question.completion_request, purpose=purpose))
