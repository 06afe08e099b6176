"""The guards of one request to the provider: price and budget, circuit breaker, rate limiter, request log, ledger.

They apply inside the retries: every attempt has its own reservation, breaker outcome and ledger row. So failed attempts
are accounted for, and an open breaker stops retries.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from recommendations.ai.budget.reservations import Budget, BudgetExhausted, Reservation
from recommendations.ai.config.prices import Price, PriceTable, UnknownModel
from recommendations.ai.gateway.instrumentation import count_call
from recommendations.ai.models import AICall
from recommendations.ai.money import Amount
from recommendations.ai.privacy import request_log
from recommendations.ai.protocol import Completion, CompletionRequest, Provider, ProviderError, Usage
from recommendations.ai.providers.tokens import expected_input, input_bound
from recommendations.ai.resilience.circuit_breaker import CircuitBreaker, call_outcome
from recommendations.ai.resilience.rate_limiter import RateLimiter

CALL_SHARE = 0.5
"""Share of the deadline that must remain once the guards have let a call pass. A shorter call would likely be cut off,
paid for, and counted as the provider's failure."""
LATE_SECONDS = 0.05
"""Tolerance for a sleep that wakes up late."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDependencies:
    """Objects that all calls of a process share."""

    provider: Provider
    prices: PriceTable
    budget: Budget
    breaker: CircuitBreaker
    rate_limiter: RateLimiter
    origin: str = ""
    """The requests' destination, for the request log."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Outcome of the request to the provider."""

    completion: Completion | None
    error: ProviderError | None
    seconds: float
    interruption: BaseException | None = None
    """The exception that interrupted it from outside, such as a task's time limit."""


class GuardedProvider:
    """A provider for one call of one tenant; `check` raises for answers that are well formed but useless."""

    configured = True

    def __init__(
        self,
        dependencies: GatewayDependencies,
        *,
        tenant_id: int,
        build_id: int | None,
        now: datetime,
        check: Callable[[Completion], object],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = dependencies.provider.model
        self.simulated = dependencies.provider.simulated
        self.max_output_tokens = dependencies.provider.max_output_tokens
        self._dependencies = dependencies
        self._tenant_id = tenant_id
        self._build_id = build_id
        self._began = now
        self._check = check
        self._timer = timer
        self._started = timer()

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request if every guard lets it pass, and write its cost to the ledger.

        Raises:
            ProviderError: a guard refused (`budget`, `breaker`, `throttled`; permanent, no call was made), or
                the provider failed.
        """
        ends = self._timer() + deadline_seconds
        price = self._price()
        bound = self._bound(request, price)
        reservation = self._reserve(bound, deadline_seconds)
        attempt: _Attempt | None = None
        try:
            attempt = self._guarded_call(request, ends, latest=ends - CALL_SHARE * deadline_seconds)
        finally:
            if attempt is None:
                self._release(reservation)
        self._settle(request, reservation, attempt, price)
        if attempt.interruption is not None:
            raise attempt.interruption
        if attempt.error is not None:
            raise attempt.error
        assert attempt.completion is not None
        return attempt.completion

    def close(self) -> None:
        """Close the provider."""
        self._dependencies.provider.close()

    def _now(self) -> datetime:
        return self._began + timedelta(seconds=self._timer() - self._started)

    def _price(self) -> Price:
        try:
            return self._dependencies.prices.price(self.model, on=self._began.astimezone(UTC).date())
        except UnknownModel as error:
            raise ProviderError("error", permanent=True, detail=str(error)) from error

    def _bound(self, request: CompletionRequest, price: Price) -> Amount:
        asked, answered = input_bound(request), self._answer_bound(request)
        return Amount(tokens=asked + answered, nano_usd=price.bound(input_tokens=asked, output_tokens=answered))

    def _answer_bound(self, request: CompletionRequest) -> int:
        return min(request.max_output_tokens or self.max_output_tokens, self.max_output_tokens)

    def _reserve(self, bound: Amount, deadline_seconds: float) -> Reservation:
        try:
            return self._dependencies.budget.reserve(
                tenant_id=self._tenant_id, amount=bound, now=self._now(), deadline_seconds=deadline_seconds
            )
        except BudgetExhausted as error:
            raise ProviderError("budget", permanent=True, detail=str(error)) from error
        except DatabaseError as error:
            raise ProviderError("error", permanent=True, detail=f"no budget without the database: {error}") from error

    def _release(self, reservation: Reservation) -> None:
        try:
            self._dependencies.budget.release(reservation)
        except DatabaseError as error:
            _log.warning("ai_reservation_not_released", error=str(error), hint="it expires by itself")

    def _guarded_call(self, request: CompletionRequest, ends: float, *, latest: float) -> _Attempt:
        permit = self._dependencies.breaker.acquire(deadline_seconds=ends - self._timer())
        try:
            now = self._timer()
            tokens = expected_input(request) + self._answer_bound(request)
            with self._dependencies.rate_limiter.slot(
                tokens=tokens, wait_seconds=latest - now, call_seconds=ends - now
            ):
                if self._timer() > latest + LATE_SECONDS:
                    raise ProviderError("timeout", permanent=True, detail="no time was left when the call could begin")
                self._log_sent(request)
                attempt = self._call(request, ends)
            if attempt.interruption is None:
                slow = attempt.seconds >= self._dependencies.breaker.policy.slow_seconds
                self._dependencies.breaker.record(permit, call_outcome(attempt.error, slow=slow))
        finally:
            self._dependencies.breaker.return_permit(permit)
        return attempt

    def _call(self, request: CompletionRequest, ends: float) -> _Attempt:
        started = self._timer()
        completion: Completion | None = None
        try:
            completion = self._dependencies.provider.complete(request, deadline_seconds=ends - started)
            self._check(completion)
        except ProviderError as error:
            return _Attempt(completion, error, self._timer() - started)
        except BaseException as interruption:  # noqa: BLE001  # raised again once the money is accounted for
            unknown = ProviderError("error", permanent=True, detail=type(interruption).__name__, spend_unknown=True)
            return _Attempt(completion, unknown, self._timer() - started, interruption)
        return _Attempt(completion, None, self._timer() - started)

    def _log_sent(self, request: CompletionRequest) -> None:
        """Log the request before it is sent: no unlogged request leaves."""
        try:
            request_log.record_request(
                tenant_id=self._tenant_id,
                request=request,
                model=self.model,
                origin=self._dependencies.origin,
                now=self._now(),
            )
        except DatabaseError as error:
            raise ProviderError("error", permanent=True, detail=f"nothing is sent unlogged: {error}") from error

    def _settle(self, request: CompletionRequest, reservation: Reservation, attempt: _Attempt, price: Price) -> None:
        usage = self._usage(request, attempt)
        call = AICall(
            tenant_id=self._tenant_id,
            day=reservation.day,
            at=self._now(),
            build_id=self._build_id,
            purpose=request.purpose,
            model=self.model,
            prompt_version=request.prompt_version,
            outcome=attempt.error.reason if attempt.error else AICall.Outcome.OK,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            usage_reported=usage.reported,
            cost_nano_usd=price.cost(usage),
            latency_ms=round(attempt.seconds * 1000),
            detail=attempt.error.detail[:400] if attempt.error else "",
            simulated=self.simulated,
        )
        if attempt.error is not None:
            _log.warning(
                "ai_call_failed",
                purpose=request.purpose,
                model=self.model,
                reason=attempt.error.reason,
                permanent=attempt.error.permanent,
                detail=attempt.error.detail,
            )
        spent = Amount(tokens=usage.input_tokens + usage.output_tokens, nano_usd=call.cost_nano_usd)
        try:
            self._dependencies.budget.settle(reservation, spent=spent, call=call)
        except DatabaseError:
            # The money is spent: retry over a new connection before the ledger is wrong.
            connection.close()
            self._dependencies.budget.settle(reservation, spent=spent, call=call)
        count_call(call)

    def _usage(self, request: CompletionRequest, attempt: _Attempt) -> Usage:
        """Return the usage: upper bounds where it is unknown, nothing where the server refused."""
        if attempt.completion is not None:
            return attempt.completion.usage
        error = attempt.error
        if error is None or error.usage is not None:
            return error.usage if error and error.usage else Usage()
        if not error.spend_unknown:
            return Usage()
        return Usage(input_tokens=input_bound(request), output_tokens=self._answer_bound(request), reported=False)
