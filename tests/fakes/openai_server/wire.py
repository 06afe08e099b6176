"""Bodies and headers as the real API sends them."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One HTTP answer before it is written."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def error(
    status: int, message: str, *, kind: str, code: str | None = None, param: str | None = None, **headers: str
) -> Answer:
    """Return the error envelope of the API."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def missing_key() -> Answer:
    """Return what a request without a bearer token gets."""
    message = (
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
    )
    return error(401, message, kind="invalid_request_error")


def invalid_key() -> Answer:
    """Return what a revoked or mistyped key gets."""
    message = "Incorrect API key provided: sk-*****. You can find your API key at https://platform.openai.com/account/api-keys."
    return error(401, message, kind="invalid_request_error", code="invalid_api_key")


def throttled(model: str, *, seconds: float, header: bool, http_date: bool) -> Answer:
    """Return a rate limit's 429."""
    message = (
        f"Rate limit reached for {model} on requests per min (RPM): Limit 500, Used 500, Requested 1."
        f" Please try again in {seconds:g}s."
    )
    headers = {}
    if header:
        headers["retry_after"] = formatdate(time.time() + seconds, usegmt=True) if http_date else f"{seconds:g}"
    return error(429, message, kind="requests", code="rate_limit_exceeded", **headers)


def insufficient_quota() -> Answer:
    """Return a spent quota's 429."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(429, message, kind="insufficient_quota", code="insufficient_quota")


def server_error(status: int, *, seconds: float | None) -> Answer:
    """Return a failure of the server's own."""
    headers = {} if seconds is None else {"retry_after": f"{seconds:g}"}
    message = "The server had an error while processing your request. Sorry about that!"
    return error(status, message, kind="server_error", **headers)


def common_headers(*, processing_ms: int) -> dict[str, str]:
    """Return the headers that every answer of the API carries."""
    return {
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "openai-version": "2020-10-01",
        "openai-processing-ms": str(processing_ms),
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-remaining-tokens": "199000",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-reset-tokens": "300ms",
    }


def completion(
    *, model: str, content: str | None, finish_reason: str, usage: Mapping[str, Any] | None, refusal: str | None
) -> dict[str, Any]:
    """Return a chat completion."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:29]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal, "annotations": []},
                "logprobs": None,
                "finish_reason": finish_reason,
            }
        ],
        **({} if usage is None else {"usage": dict(usage)}),
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def usage(*, prompt: int, cached: int, answer: int) -> dict[str, Any]:
    """Return the usage block of a chat completion."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
