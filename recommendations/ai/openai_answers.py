"""Reads what an OpenAI-compatible server sends: answers, usage, refusals; trusts none of it."""

import json
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from recommendations.ai.provider import Completion, CompletionRequest, ProviderError, Reason, Usage
from recommendations.ai.token_estimate import input_bound

QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
TRANSIENT_STATUSES = frozenset({408, 409, 425})
REFUSING_STATUSES = frozenset({401, 403})


def failure(*, status: int, code: str | None, kind: str | None, headers: Mapping[str, str]) -> ProviderError:
    """Return the error for an HTTP status outside 2xx.

    A spent quota arrives as 429 like a rate limit does, but no waiting helps: it is permanent, as are refused keys
    and malformed requests.
    """
    detail = f"HTTP {status}" + (f" {code or kind}" if code or kind else "")
    if status == 429:
        spent = bool({code, kind} & QUOTA_CODES)
        wait = None if spent else retry_after(headers)
        return ProviderError("throttled", permanent=spent, retry_after=wait, detail=detail, refused=spent)
    transient = status >= 500 or status in TRANSIENT_STATUSES
    wait = retry_after(headers) if transient else None
    late = status in {408, 504}
    reason: Reason = "timeout" if late else "error"
    return ProviderError(
        reason,
        permanent=not transient,
        retry_after=wait,
        detail=detail,
        spend_unknown=late,
        refused=status in REFUSING_STATUSES,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait (RFC 9110, 10.2.3), or None.

    The vendor's ``retry-after-ms`` is finer and wins. A date is read against the answer's own ``Date``, so that
    clocks need not agree.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        then = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (then - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def read_completion(
    body: bytes, *, request: CompletionRequest, bound: int, latency_seconds: float, request_id: str
) -> Completion:
    """Parse a chat completion whose content must be one JSON object.

    Raises:
        ProviderError: ``invalid``, with the usage where one was paid for.
    """
    envelope = _json_object(body)
    if envelope is None:
        spent = read_usage(None, request=request, bound=bound)
        raise ProviderError("invalid", detail="the answer is not a JSON object", usage=spent)
    usage = read_usage(envelope.get("usage"), request=request, bound=bound)
    try:
        choice = envelope["choices"][0]
        message = choice["message"]
        text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ProviderError("invalid", detail="the answer holds no message", usage=usage) from None
    if refusal:
        raise ProviderError("invalid", detail="the model refused", usage=usage)
    if finish in {"length", "content_filter"}:
        raise ProviderError("invalid", detail=f"the answer was cut off ({finish})", usage=usage)
    content = _json_object(text)
    if content is None:
        raise ProviderError("invalid", detail="the content is not a JSON object", usage=usage)
    model = envelope.get("model")
    return Completion(
        content=content,
        usage=usage,
        model=model if isinstance(model, str) else "",
        latency_seconds=latency_seconds,
        request_id=request_id,
    )


def read_vectors(body: bytes, *, request: CompletionRequest, dimensions: int, latency_seconds: float) -> Completion:
    """Parse vectors, one for each message of the request, in its order.

    Raises:
        ProviderError: ``invalid``, with the usage.
    """
    envelope = _json_object(body) or {}
    ceiling = input_bound(request)
    used = _count(envelope.get("usage"), "prompt_tokens")
    usage = Usage(input_tokens=used) if 0 < used <= ceiling else Usage(input_tokens=ceiling, reported=False)
    data = envelope.get("data")
    entries = data if isinstance(data, list) else []
    by_index = {each.get("index"): each.get("embedding") for each in entries if isinstance(each, Mapping)}
    vectors = [by_index.get(number) for number in range(len(request.messages))]
    if not all(_is_vector(each, dimensions) for each in vectors):
        raise ProviderError("invalid", detail=f"not a vector of {dimensions} numbers for each text", usage=usage)
    model = envelope.get("model")
    return Completion(
        content={"vectors": vectors},
        usage=usage,
        model=model if isinstance(model, str) else "",
        latency_seconds=latency_seconds,
    )


def _is_vector(value: object, dimensions: int) -> bool:
    if not isinstance(value, list) or len(value) != dimensions:
        return False
    return all(isinstance(each, int | float) and math.isfinite(each) for each in value) and any(value)


def read_usage(raw: object, *, request: CompletionRequest, bound: int) -> Usage:
    """Return the reported usage, or upper bounds where the figures are missing or cannot be true.

    A server that reports less than was used is not noticed.
    """
    ceiling = input_bound(request)
    figures = raw if isinstance(raw, Mapping) else {}
    usage = Usage(
        input_tokens=_count(figures, "prompt_tokens"),
        cached_tokens=_count(figures.get("prompt_tokens_details"), "cached_tokens", absent=0),
        output_tokens=_count(figures, "completion_tokens"),
        reasoning_tokens=_count(figures.get("completion_tokens_details"), "reasoning_tokens", absent=0),
    )
    believable = (
        0 <= usage.cached_tokens <= usage.input_tokens <= ceiling
        and usage.input_tokens > 0
        and 0 <= usage.reasoning_tokens <= usage.output_tokens <= bound
    )
    return usage if believable else Usage(input_tokens=ceiling, output_tokens=bound, reported=False)


def _count(figures: object, name: str, *, absent: int = -1) -> int:
    value = figures.get(name) if isinstance(figures, Mapping) else None
    if value is None:
        return absent
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _json_object(text: object) -> dict[str, Any] | None:
    if not isinstance(text, str | bytes):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
