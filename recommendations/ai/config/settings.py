"""The AI configuration: the only place of this package that reads Django's settings."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from recommendations.ai.config.dialect import DIALECTS, OUTPUTS, Dialect, Output, detect_dialect
from recommendations.ai.config.limits import breaker_policy, budget_limits, price_table, rate_limits, uplift_policy
from recommendations.ai.config.prices import PriceTable, shipped_table
from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.money import BudgetLimits
from recommendations.ai.resilience.circuit_state import BreakerPolicy
from recommendations.ai.resilience.rate_limiter import RateLimits

OPENAI_API = "https://api.openai.com/v1"
MINIMUM_LEDGER_DAYS = 62
"""The present month and the one before can always be reconciled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AIConfiguration:
    """All AI settings; with an empty `api_key` this process makes no calls."""

    api_key: str = field(default="", repr=False)
    key_in_workers: bool = False
    """True where only the workers have a key; this process then shows their state."""
    base_url: str = OPENAI_API
    """Root of an OpenAI-compatible API, ``/v1`` included."""
    model: str = ""
    timeout_seconds: float = 20.0
    """Total time one call may take: connecting, waiting, reading and retries together."""
    max_output_tokens: int = 2048
    """Hard bound on what one answer may cost, reasoning tokens included."""
    dialect: Dialect | None = None
    """Request fields that the server accepts; None detects them from its host."""
    output: Output = "json_schema"
    """Mechanism that makes the server return the required JSON."""
    reasoning_effort: str = ""
    """Sent as it is where set ("minimal", "low"); models that do not reason refuse it, so it is empty by default."""
    simulated: bool = False
    """True where the upstream is the bundled simulator: answers say so in their provenance."""
    calls_per_build: int = 200
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    limits: RateLimits = field(default_factory=RateLimits)
    """The vendor's limits. Unlimited by default here; the settings have their own defaults."""
    budget: BudgetLimits = field(default_factory=BudgetLimits)
    ledger_days: int = 90
    answer_days: int = 30
    """Retention of cached answers; ledger rows have `ledger_days`."""
    sent_days: int = 30
    """Retention of the request log."""
    control_percent: int = 10
    """Share of a placement's users in the AI holdout, against which uplift is measured."""
    gate: UpliftPolicy = field(default_factory=UpliftPolicy)
    embedding_model: str = ""
    """Model for item embeddings; empty disables them."""
    embedding_dimensions: int = 256
    batch: bool = False
    """Nightly builds use the vendor's batch interface."""
    prices: PriceTable = field(default_factory=shipped_table, compare=False)

    def __post_init__(self) -> None:
        _refuse(self.timeout_seconds <= 0, f"AI_TIMEOUT_SECONDS is {self.timeout_seconds}; set it above 0")
        _refuse(self.max_output_tokens < 1, f"AI_MAX_OUTPUT_TOKENS is {self.max_output_tokens}; set at least 1")
        _refuse(self.calls_per_build < 0, f"AI_CALLS_PER_BUILD is {self.calls_per_build}; set 0 or more")
        _refuse(self.in_use and not self.model, "OPENAI_API_KEY is set but OPENAI_MODEL is empty; name one")
        _refuse(
            self.ledger_days < MINIMUM_LEDGER_DAYS,
            f"AI_LEDGER_DAYS is {self.ledger_days}; give at least {MINIMUM_LEDGER_DAYS}, so that a month reconciles",
        )
        _refuse(self.sent_days < 1, f"AI_SENT_DAYS is {self.sent_days}; set 1 or more")
        _refuse(not 0 <= self.control_percent <= 90, f"AI_CONTROL_PERCENT is {self.control_percent}; give 0 to 90")
        _refuse(self.answer_days < 0, f"AI_ANSWER_DAYS is {self.answer_days}; set 0 or more")
        _refuse(
            self.dialect not in (None, *DIALECTS),
            f"OPENAI_DIALECT is {self.dialect!r}; give {' or '.join(DIALECTS)}, or leave it empty",
        )
        _refuse(self.output not in OUTPUTS, f"OPENAI_OUTPUT is {self.output!r}; give {', '.join(OUTPUTS)}")
        parts = urlsplit(self.base_url)
        _refuse(
            parts.scheme not in {"http", "https"} or not parts.hostname,
            f"OPENAI_BASE_URL is {self.base_url!r}; give an http(s) address such as {OPENAI_API}",
        )
        _refuse(
            self.simulated and self.base_url.rstrip("/") == OPENAI_API,
            "AI_SIMULATED is on but OPENAI_BASE_URL is OpenAI's own API, whose answers would be labelled as"
            " simulated; point it at the simulator or switch AI_SIMULATED off",
        )

    @property
    def configured(self) -> bool:
        """True where this process can make calls."""
        return bool(self.api_key)

    @property
    def in_use(self) -> bool:
        """True where any process of this deployment makes calls."""
        return self.configured or self.key_in_workers

    @property
    def effective_dialect(self) -> Dialect:
        """The configured dialect, or the one detected from the host."""
        return self.dialect or ("openai" if self.simulated else detect_dialect(self.base_url))

    @property
    def origin(self) -> str:
        """The source of answers, by which breaker, rate limiter and cached answers are keyed."""
        parts = urlsplit(self.base_url)
        return f"simulator@{parts.netloc}" if self.simulated else parts.netloc

    @classmethod
    def from_settings(cls, settings: Any) -> "AIConfiguration":
        """Read the ``OPENAI_*`` and ``AI_*`` settings.

        Raises:
            ImproperlyConfigured: a value is out of range or two of them contradict each other.
        """
        return cls(
            api_key=settings.OPENAI_API_KEY or "",
            key_in_workers=getattr(settings, "AI_KEY_IN_WORKERS", False),
            base_url=settings.OPENAI_BASE_URL or OPENAI_API,
            model=settings.OPENAI_MODEL or "",
            timeout_seconds=settings.AI_TIMEOUT_SECONDS,
            max_output_tokens=settings.AI_MAX_OUTPUT_TOKENS,
            dialect=getattr(settings, "OPENAI_DIALECT", None) or None,
            output=getattr(settings, "OPENAI_OUTPUT", "json_schema") or "json_schema",
            reasoning_effort=getattr(settings, "OPENAI_REASONING_EFFORT", "") or "",
            simulated=settings.AI_SIMULATED,
            calls_per_build=settings.AI_CALLS_PER_BUILD,
            breaker=breaker_policy(settings),
            limits=rate_limits(settings),
            budget=budget_limits(settings),
            prices=price_table(settings),
            ledger_days=getattr(settings, "AI_LEDGER_DAYS", 90),
            answer_days=getattr(settings, "AI_ANSWER_DAYS", 30),
            sent_days=getattr(settings, "AI_SENT_DAYS", 30),
            control_percent=getattr(settings, "AI_CONTROL_PERCENT", 10),
            gate=uplift_policy(settings),
            embedding_model=getattr(settings, "AI_EMBEDDING_MODEL", "") or "",
            embedding_dimensions=getattr(settings, "AI_EMBEDDING_DIMENSIONS", 256),
            batch=getattr(settings, "AI_BATCH", False),
        )


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise ImproperlyConfigured(message)
