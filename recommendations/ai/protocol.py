"""What the rest of the service knows about a language model: a protocol, its data and its one error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Reason = Literal["breaker", "budget", "timeout", "throttled", "error", "invalid"]
"""What a fallback is counted under. ``breaker`` and ``budget`` mean that no call was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation; only the ``system`` turn carries instructions."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One question whose answer must be a JSON object that satisfies ``schema``."""

    purpose: str
    """What the call is for ("rerank"): the label of its ledger row and metrics."""
    messages: tuple[Message, ...]
    schema_name: str
    schema: Mapping[str, Any]
    """A JSON schema in the strict subset; keep it constant, vendors compile and cache each new one."""
    max_output_tokens: int | None = None
    """A tighter bound than the provider's own; never a wider one."""
    prompt_version: str = ""
    """For the ledger; results and costs are compared by it."""
    subject: str = ""
    """Digest of the key of the person it is about, for the log of what was sent; it is not sent itself."""
    contents: Mapping[str, Any] = field(default_factory=dict)
    """What the messages hold, without any text: for the same log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call. ``cached`` is part of ``input``, ``reasoning`` is part of ``output``."""

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

    ``reason`` is what a fallback is counted under. ``permanent`` means that the same call cannot succeed until
    somebody changes something (key, quota, request). ``retry_after`` is the vendor's wish in seconds.
    ``usage`` is there when an unusable answer was paid for; ``spend_unknown`` says that the request may have reached
    the model and nobody knows what was spent. ``refused`` means that the key or the account is not accepted: so will
    be every other call.
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

    Wrappers (retries, the gates of one call) implement the same protocol, so they stack in any number.
    """

    @property
    def configured(self) -> bool:
        """Tell whether there is anything to call; False means that lists were never meant for AI."""

    @property
    def simulated(self) -> bool:
        """Tell whether answers come from the bundled simulator and must be labelled so."""

    @property
    def model(self) -> str:
        """Name the model that is asked, or the empty string."""

    @property
    def max_output_tokens(self) -> int:
        """Bound of every answer in tokens: what a budget has to reserve."""

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Answer within ``deadline_seconds`` in total, whatever the other side does.

        Raises:
            ProviderError: there is no usable answer.
        """

    def close(self) -> None:
        """Give connections and threads back; the provider stays usable and opens new ones at the next call."""


class NullProvider:
    """Stands where no key is configured: nothing to call, and says so."""

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
