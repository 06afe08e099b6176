"""The batch interface's files: requests as JSON lines, and untrusted answers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError, Usage
from recommendations.ai.providers.openai_responses import read_completion
from recommendations.ai.reranking.order_validation import is_candidate_number


def request_line(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """Return one line of the input file; `body` is the request as the API takes it."""
    entry = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": dict(body)}
    return json.dumps(entry, ensure_ascii=False).encode()


def read_output(output: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (custom id, response body) of the output file's successful lines; malformed ones are skipped."""
    for line in output.splitlines():
        try:
            entry = json.loads(line)
            response = entry["response"]
            if response["status_code"] == 200:
                yield str(entry["custom_id"]), json.dumps(response["body"]).encode()
        except (ValueError, KeyError, TypeError):
            continue


def read_answer(body: bytes, request: CompletionRequest, *, bound: int) -> tuple[Completion | None, Usage]:
    """Return the answer, or None where it is unusable, and its usage; `bound` is the longest answer in tokens."""
    try:
        completion = read_completion(body, request=request, bound=bound, latency_seconds=0.0, request_id="")
    except ProviderError as error:
        return None, error.usage or Usage()
    count = int(request.contents.get("candidates", 0))
    ranking = completion.content.get("ranking")
    entries = [entry for entry in ranking if isinstance(entry, Mapping)] if isinstance(ranking, list) else []
    ranked = {entry.get("c") for entry in entries if is_candidate_number(entry.get("c"), count=count)}
    return (completion if 2 * len(ranked) >= count else None), completion.usage
