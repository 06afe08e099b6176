"""Maps refusals of OpenAI-compatible servers to `ProviderError`: a status, an error in a 200, another code.

The same fact comes in many forms: a spent account is 429 `insufficient_quota` with OpenAI, 402 with others; a content
filter answers 400, or 200 with a `finish_reason`. Error details quote the vendor, without keys and without anything of
the prompt (some servers repeat the whole request).
"""

import json
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from recommendations.ai.protocol import ProviderError
from recommendations.text_safety.sanitize import clean_text

WORDS_LIMIT = 300
_SHINGLE = 12
"""A run of this many letters and digits that also occurs in the prompt is taken to be quoted from it."""

_SPENT = frozenset(
    (
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_funds",
        "credit_balance_too_low",
        "payment_required",
        "quota_exceeded",
        "exceeded_current_quota_error",
        "account_deactivated",
    )
)
_THROTTLED = frozenset(
    (
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_reached_error",
        "rate_limited",
        "too_many_requests",
        "resource_exhausted",
        "overloaded_error",
        "engine_overloaded",
        "engine_overloaded_error",
        "slow_down",
    )
)
_FILTERED = frozenset(
    (
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "content_filter_error",
        "moderation",
        "moderation_blocked",
        "data_inspection_failed",
        "prohibited_content",
    )
)
_NO_MODEL = frozenset(("model_not_found", "model_not_available", "deploymentnotfound", "unsupported_model"))
_KEY_REFUSED = frozenset(("invalid_api_key", "authentication_error", "permission_denied", "unauthenticated"))
_SPENT_WORDS = re.compile(
    r"insufficient (?:balance|credits?|funds)|credit balance is too low|payment required"
    r"|exceeded your current quota|out of credits|more credits",
    re.IGNORECASE,
)
_THROTTLED_STATUSES = frozenset({429, 498, 529})
_TRANSIENT_STATUSES = frozenset({408, 409, 425})
_LATE_STATUSES = frozenset({408, 504, 524})
_REFUSING_STATUSES = frozenset({401, 403})
_SECRET = re.compile(r"\b(?:sk|pk|key|gsk|xai|or)-[\w*.-]{3,}|\bBearer\s+\S+", re.IGNORECASE)


def error_from_response(
    *, status: int, body: object, headers: Mapping[str, str], prompt: Sequence[str] = (), key: str = ""
) -> ProviderError:
    """Return the error for an HTTP status outside 2xx; `body` is parsed JSON, or text.

    A spent account arrives as a throttle does, but no waiting helps: it is permanent, as are refused keys, unknown
    models and malformed requests. Nothing was charged, except that the cost of a time-out is unknown.
    """
    codes, words = _codes(body), _words(body)
    quote = f": {redact(words, prompt=prompt, key=key)}" if words else ""
    named = next(iter(codes), "")
    detail = f"HTTP {status}" + (f" {clean_text(named, limit=60)}" if named else "") + quote
    wait = retry_after(headers)
    if _is_spent(status, codes, words, wait):
        return ProviderError("throttled", permanent=True, detail=detail, refused=True)
    if status in _THROTTLED_STATUSES or (status < 500 and codes & _THROTTLED):
        return ProviderError("throttled", retry_after=wait, detail=detail)
    if codes & _FILTERED:
        return ProviderError("invalid", permanent=True, detail=detail)
    late, transient = status in _LATE_STATUSES, status >= 500 or status in _TRANSIENT_STATUSES
    return ProviderError(
        "timeout" if late else "error",
        permanent=not transient,
        retry_after=wait if transient else None,
        detail=detail,
        spend_unknown=late,
        refused=status in _REFUSING_STATUSES or bool(codes & (_NO_MODEL | _KEY_REFUSED)),
    )


def error_in_completion(
    envelope: Mapping[str, Any], *, prompt: Sequence[str] = (), key: str = ""
) -> ProviderError | None:
    """Return the error inside an answer of status 200, or inside its first choice; None without one."""
    choices = envelope.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    error = envelope.get("error") or first.get("error")
    if not error:
        return None
    codes = _codes({"error": error})
    number = next((int(code) for code in codes if code.isdigit() and 400 <= int(code) < 600), 0)
    if not number:
        number = 429 if codes & (_THROTTLED | _SPENT) else 400 if codes & (_FILTERED | _NO_MODEL) else 502
    return error_from_response(status=number, body={"error": error}, headers={}, prompt=prompt, key=key)


def redact(text: str, *, prompt: Sequence[str] = (), key: str = "") -> str:
    """Return a vendor's or model's text for logs: one line, bounded, nothing of the prompt, no keys."""
    if key:
        text = text.replace(key, "[key]")
    text = _SECRET.sub("[key]", text[: WORDS_LIMIT * 8])
    return clean_text(_without_prompt(text, prompt), limit=WORDS_LIMIT)


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


def parse_body(body: bytes) -> object:
    """Return a body as JSON, or as text where it is none."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text[:65_536]


def _is_spent(status: int, codes: frozenset[str], words: str, wait: float | None) -> bool:
    if status == 402 or codes & _SPENT:
        return True
    # Some send these words with a code of a rate limit, where waiting does help.
    return status in (400, 403, 429) and not codes & _THROTTLED and wait is None and bool(_SPENT_WORDS.search(words))


def _error(body: object) -> object:
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, Mapping) and "error" in body:
        return body["error"]
    return body


def _codes(body: object) -> frozenset[str]:
    """Every name that the error gives itself, in lower case."""
    error = _error(body)
    if not isinstance(error, Mapping):
        return frozenset()
    inner = error.get("innererror")
    named = [error.get(name) for name in ("code", "type", "status")]
    named += [inner.get("code")] if isinstance(inner, Mapping) else []
    return frozenset(str(each).lower() for each in named if isinstance(each, str | int) and not isinstance(each, bool))


def _words(body: object) -> str:
    error = _error(body)
    if isinstance(error, str):
        return "" if error.lstrip().startswith("<") else error  # a proxy's page says nothing
    if not isinstance(error, Mapping):
        return ""
    for name in ("message", "detail", "error", "title", "errors", "object"):
        value = error.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list):
            return "; ".join(_item(each) for each in value[:5])
    return ""


def _item(each: object) -> str:
    """Return one entry of a validator's list: location and message, not the input that it repeats."""
    if not isinstance(each, Mapping):
        return str(each) if isinstance(each, str) else ""
    place = each.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    what = each.get("msg") or each.get("message") or each.get("detail") or ""
    return f"{where}: {what}" if where else str(what)


def _without_prompt(text: str, prompt: Sequence[str]) -> str:
    """Compare letters and digits only: quoting and escaping change everything else."""
    sent = "".join(each for part in prompt for each in part if each.isalnum()).casefold()
    if len(sent) < _SHINGLE:
        return text
    known = {sent[at : at + _SHINGLE] for at in range(len(sent) - _SHINGLE + 1)}
    places = [at for at, each in enumerate(text) if each.isalnum()]
    letters = "".join(text[at].casefold()[:1] for at in places)
    hidden = [False] * len(text)
    for at in range(len(letters) - _SHINGLE + 1):
        if letters[at : at + _SHINGLE] in known:
            start, end = places[at], places[at + _SHINGLE - 1]
            hidden[start : end + 1] = [True] * (end + 1 - start)
    kept = "".join("\0" if gone else each for each, gone in zip(text, hidden, strict=True))
    return re.sub("\0+", "[…]", kept)
