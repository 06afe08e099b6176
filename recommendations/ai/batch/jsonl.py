"""The files of the batch interface: questions as lines, answers read and checked."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from recommendations.ai.protocol import Completion, CompletionRequest, Message, ProviderError, Usage
from recommendations.ai.providers.openai_responses import read_completion
from recommendations.ai.reranking.order_validation import is_candidate_number


def line(name: str, body: Mapping[str, Any]) -> bytes:
    """Return a question as a line of the file; ``body`` is what the API takes."""
    entry = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": dict(body)}
    return json.dumps(entry, ensure_ascii=False).encode()


def answers_of(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the answers by name; lines that are none are left out."""
    for line in raw.splitlines():
        try:
            entry = json.loads(line)
            response = entry["response"]
            if response["status_code"] == 200:
                yield str(entry["custom_id"]), json.dumps(response["body"]).encode()
        except (ValueError, KeyError, TypeError):
            continue


def read(body: bytes, request: CompletionRequest, *, bound: int) -> tuple[Completion | None, Usage]:
    """Return the answer where it is of use, and what it used in any case; ``bound`` is the longest answer in tokens."""
    try:
        completion = read_completion(body, request=request, bound=bound, latency_seconds=0.0, request_id="")
    except ProviderError as error:
        return None, error.usage or Usage()
    count = int(request.contents.get("candidates", 0))
    ranking = completion.content.get("ranking")
    entries = ranking if isinstance(ranking, list) else []
    named = {
        each.get("c")
        for each in entries
        if isinstance(each, Mapping) and is_candidate_number(each.get("c"), count=count)
    }
    return (completion if 2 * len(named) >= count else None), completion.usage


def stored(request: CompletionRequest) -> dict[str, Any]:
    """Return a question as a row holds it."""
    return {
        "purpose": request.purpose,
        "messages": [[each.role, each.content] for each in request.messages],
        "schema_name": request.schema_name,
        "schema": dict(request.schema),
        "prompt_version": request.prompt_version,
        "contents": dict(request.contents),
    }


def restored(held: Mapping[str, Any], *, subject: str) -> CompletionRequest:
    """Return the question that `stored` wrote."""
    return CompletionRequest(
        purpose=held["purpose"],
        messages=tuple(Message(role=role, content=content) for role, content in held["messages"]),
        schema_name=held["schema_name"],
        schema=held["schema"],
        prompt_version=held["prompt_version"],
        subject=subject,
        contents=held["contents"],
    )
