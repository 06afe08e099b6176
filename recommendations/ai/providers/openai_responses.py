"""Parses untrusted responses of OpenAI-compatible servers: answers, usage, refusals."""

import math
import re
from collections.abc import Mapping
from typing import Any

from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError, Usage
from recommendations.ai.providers import errors, unwrapping
from recommendations.ai.providers.tokens import input_bound

CUT_OFF = frozenset(("length", "max_tokens"))
REFUSAL = re.compile(
    r"\b(?:I['’]?m sorry|I am sorry|I can(?:no|['’])t|I cannot|I(?:['’]m| am) (?:unable|not able)"
    r"|I won['’]t|as an AI)\b",
    re.IGNORECASE,
)
FILTERED = frozenset(
    ("content_filter", "safety", "refusal", "recitation", "prohibited_content", "blocklist", "spii", "sensitive")
)


def read_completion(
    body: bytes, *, request: CompletionRequest, bound: int, latency_seconds: float, request_id: str
) -> Completion:
    """Parse a chat completion whose content must be one JSON object, wrapped or not (see `unwrapping`).

    Raises:
        ProviderError: `invalid`, with the usage where the answer was paid for; the vendor's error where the answer is
            one in spite of its status.
    """
    prompt = [each.content for each in request.messages]
    envelope = errors.parse_body(body)
    if not isinstance(envelope, Mapping):
        raise _no_envelope(envelope, request=request, bound=bound)
    if error := errors.error_in_completion(envelope, prompt=prompt):
        if isinstance(envelope.get("usage"), Mapping):
            error.usage = read_usage(envelope["usage"], request=request, bound=bound)
        raise error
    usage = read_usage(envelope.get("usage"), request=request, bound=bound)
    try:
        choice = envelope["choices"][0]
        message = choice["message"]
        text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ProviderError("invalid", detail="the answer holds no message", usage=usage) from None
    finish = finish.lower() if isinstance(finish, str) else ""
    if refusal or (refusal := unwrapping.find_refusal(text)):
        quote = errors.redact(str(refusal), prompt=prompt)
        raise ProviderError("invalid", detail=f"the model refused: {quote}", usage=usage)
    if finish in FILTERED:
        raise ProviderError("invalid", detail=f"a content filter stopped the answer ({finish})", usage=usage)
    if finish in CUT_OFF:
        raise ProviderError("invalid", detail=f"the answer was cut off ({finish})", usage=usage)
    parsed = unwrapping.json_object(text)
    if parsed is None:
        spoke = REFUSAL.search((unwrapping.content_text(text) or "")[:200])
        why = "the model refused in plain words" if spoke else "the content is not a JSON object"
        raise ProviderError("invalid", detail=why, usage=usage)
    model = envelope.get("model")
    return Completion(
        content=parsed,
        usage=usage,
        model=model if isinstance(model, str) else "",
        latency_seconds=latency_seconds,
        request_id=request_id,
    )


def _no_envelope(body: object, *, request: CompletionRequest, bound: int) -> ProviderError:
    if isinstance(body, str) and body.lstrip()[:1] == "<":
        # A page of a proxy or gateway: no model was reached.
        return ProviderError("error", detail="the answer is a web page and not JSON; is OPENAI_BASE_URL right?")
    spent = read_usage(None, request=request, bound=bound)
    return ProviderError("invalid", detail="the answer is not a JSON object", usage=spent)


def read_vectors(body: bytes, *, request: CompletionRequest, dimensions: int, latency_seconds: float) -> Completion:
    """Parse vectors, one for each message of the request, in its order.

    Raises:
        ProviderError: ``invalid``, with the usage.
    """
    parsed = errors.parse_body(body)
    envelope: Mapping[str, Any] = parsed if isinstance(parsed, Mapping) else {}
    if error := errors.error_in_completion(envelope, prompt=[each.content for each in request.messages]):
        raise error
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
