"""The completion provider over OpenAI-compatible chat completions."""

import time
from typing import Any

from recommendations.ai.config.dialect import request_body
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import Completion, CompletionRequest
from recommendations.ai.providers.openai_client import OpenAIClient
from recommendations.ai.providers.openai_responses import read_completion


class OpenAIProvider(OpenAIClient):
    """Asks chat completions for structured output; one HTTP request per call, never more."""

    configured = True

    def __init__(self, config: AIConfiguration) -> None:
        super().__init__(config)
        self.model = config.model
        self.simulated = config.simulated
        self.max_output_tokens = config.max_output_tokens

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request and return its parsed answer within `deadline_seconds`.

        Raises:
            ProviderError: timeout, refusal by the server, broken connection or an unusable answer.
        """
        started = time.monotonic()
        answer = self.call(
            lambda client: client.chat.completions.with_raw_response.create,
            deadline_seconds=deadline_seconds,
            prompt=[message.content for message in request.messages],
            **self.body(request),
        )
        return read_completion(
            answer.http_response.content,
            request=request,
            bound=self._output_bound(request),
            latency_seconds=time.monotonic() - started,
            request_id=answer.headers.get("x-request-id", ""),
        )

    def body(self, request: CompletionRequest) -> dict[str, Any]:
        """Return a request as the API takes it, alone or as a line of a batch."""
        return request_body(
            request,
            model=self.model,
            bound=self._output_bound(request),
            dialect=self._config.effective_dialect,
            output=self._config.output,
            effort=self._config.reasoning_effort,
        )

    def _output_bound(self, request: CompletionRequest) -> int:
        return min(request.max_output_tokens or self.max_output_tokens, self.max_output_tokens)
