"""Protocol of a language model provider, with its data and its one error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Reason = Literal["breaker", "budget", "timeout", "throttled", "error", "invalid"]
"""Reasons of a fallback. `breaker` and `budget` mean that no call was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation; only the `system` turn carries instructions."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One question whose answer must be a JSON object that satisfies `schema`."""

    purpose: str
    """Purpose of the call ("rerank"), for the ledger and metrics."""
    messages: tuple[Message, ...]
    schema_name: str
    schema: Mapping[str, Any]
    """A JSON schema in the strict subset; keep it constant, vendors compile and cache each new one."""
    max_output_tokens: int | None = None
    """A tighter bound than the provider's own; never a wider one."""
    prompt_version: str = ""
    """For the ledger; results and costs are compared by it."""
    subject: str = ""
    """Digest of the user's key, for the request log; it is not sent."""
    contents: Mapping[str, Any] = field(default_factory=dict)
    """Summary of the messages without any text, for the request log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call. `cached_tokens` are part of `input_tokens`, `reasoning_tokens` of `output_tokens`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    reported: bool = True
    """False where the vendor's figures were missing or impossible and these are upper bounds of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer: parsed content, what it cost and how long it took."""

    content: Mapping[str, Any]
    usage: Usage
    model: str
    """The model that answered, as the vendor names it (often a dated version of the one asked for)."""
    latency_seconds: float
    attempts: int = 1
    request_id: str = ""


class ProviderError(Exception):
    """The provider gave no usable answer; the caller goes on without AI.

    Attributes:
        reason: the reason under which the fallback is counted.
        permanent: the same call cannot succeed until the key, the quota or the request changes.
        retry_after: the wait that the vendor asks for, in seconds.
        usage: given when an unusable answer was paid for.
        spend_unknown: the request may have reached the model, and its cost is unknown.
        refused: the key or the account is not accepted, so every other call will fail too.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        detail: str = "",
        usage: Usage | None = None,
        spend_unknown: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.detail = detail
        self.usage = usage
        self.spend_unknown = spend_unknown
        self.refused = refused

    def __str__(self) -> str:
        """Name the reason and the detail, for logs."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class Provider(Protocol):
    """A language model behind a deadline. Implementations may be called from many threads at once.

    Wrappers (retries, guards) implement the same protocol, so they can be nested.
    """

    @property
    def configured(self) -> bool:
        """True where there is a model to call; without one no list is meant for AI."""

    @property
    def simulated(self) -> bool:
        """True where answers come from the bundled simulator and must be labelled."""

    @property
    def model(self) -> str:
        """Name of the requested model, or an empty string."""

    @property
    def max_output_tokens(self) -> int:
        """Bound of every answer in tokens, which a budget reserves."""

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Answer within `deadline_seconds` in total, whatever the other side does.

        Raises:
            ProviderError: there is no usable answer.
        """

    def close(self) -> None:
        """Close connections and threads; the next call opens new ones."""


class NullProvider:
    """The provider without a key: refuses every call."""

    configured = False
    simulated = False
    model = ""
    max_output_tokens = 0

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Refuse at once.

        Raises:
            ProviderError: always, permanent.
        """
        raise ProviderError("error", permanent=True, detail="AI is off: OPENAI_API_KEY is not set")

    def close(self) -> None:
        """Nothing was opened."""
