"""Request bodies in a server's dialect: OpenAI's own fields, or the ones that compatible servers share.

Strict servers (Mistral, vLLM behind a validating gateway) refuse unknown fields, so OpenAI's own are sent to OpenAI
only.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from recommendations.ai.protocol import CompletionRequest

Dialect = Literal["openai", "compatible"]
Output = Literal["json_schema", "json_object", "prompt"]
DIALECTS: tuple[Dialect, ...] = ("openai", "compatible")
OUTPUTS: tuple[Output, ...] = ("json_schema", "json_object", "prompt")
_OWN_HOSTS = (".openai.com", ".openai.azure.com", ".services.ai.azure.com")


def detect_dialect(base_url: str) -> Dialect:
    """Return the dialect of a base URL's host."""
    host = urlsplit(base_url).hostname or ""
    return "openai" if f".{host}".endswith(_OWN_HOSTS) else "compatible"


def request_body(
    request: CompletionRequest, *, model: str, bound: int, dialect: Dialect, output: Output, effort: str = ""
) -> dict[str, Any]:
    """Return a request as the API takes it, alone or as a line of a batch."""
    body: dict[str, Any] = {"model": model, "messages": _messages(request, output)}
    if output == "json_schema":
        schema = {"name": request.schema_name, "strict": True, "schema": dict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif output == "json_object":
        body["response_format"] = {"type": "json_object"}
    if dialect == "openai":
        # The vendor must not store users' histories.
        body |= {"max_completion_tokens": bound, "store": False}
    else:
        body["max_tokens"] = bound
    if effort:
        body["reasoning_effort"] = effort
    return body


def _messages(request: CompletionRequest, output: Output) -> list[dict[str, str]]:
    messages = [{"role": each.role, "content": each.content} for each in request.messages]
    if output != "json_schema":
        messages[0]["content"] += "\n\n" + _schema_instruction(request.schema)
    return messages


def _schema_instruction(schema: Mapping[str, Any]) -> str:
    """Describe the schema to servers that cannot enforce one; answers are validated here in any case."""
    return f"Answer with one JSON object and nothing else. It satisfies this JSON schema: {json.dumps(dict(schema))}"
