"""The embedding provider over OpenAI-compatible embeddings."""

import time

from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import Completion, CompletionRequest
from recommendations.ai.providers.openai_client import OpenAIClient
from recommendations.ai.providers.openai_responses import read_vectors


class OpenAIEmbeddings(OpenAIClient):
    """Embeds texts: each message of a request is one text, the answer's content holds `vectors`.

    It implements the completion provider's protocol, so that the same guards, budget and ledger apply.
    """

    configured = True
    max_output_tokens = 0

    def __init__(self, config: AIConfiguration) -> None:
        super().__init__(config)
        self.model = config.embedding_model
        self.simulated = config.simulated

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request and return its vectors within `deadline_seconds`.

        Raises:
            ProviderError: timeout, refusal by the server, broken connection or an unusable answer.
        """
        started = time.monotonic()
        texts = [message.content for message in request.messages]
        answer = self.call(
            lambda client: client.embeddings.with_raw_response.create,
            deadline_seconds=deadline_seconds,
            prompt=texts,
            model=self.model,
            input=texts,
            dimensions=self._config.embedding_dimensions,
            encoding_format="float",
        )
        return read_vectors(
            answer.http_response.content,
            request=request,
            dimensions=self._config.embedding_dimensions,
            latency_seconds=time.monotonic() - started,
        )
