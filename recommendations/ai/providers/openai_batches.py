"""The batch provider over OpenAI's batch interface: a file of questions in, a file of answers out within a day."""

from typing import Any

from recommendations.ai.batch_protocol import BatchJob
from recommendations.ai.providers.openai_client import OpenAIClient

BATCH_KEY = "docent_key"


class OpenAIBatches(OpenAIClient):
    """Each call is one request; it raises `ProviderError` where the vendor refuses it or does not answer in time."""

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """Upload the questions; return the file's id."""
        file = self.call(
            lambda client: client.files.create,
            deadline_seconds=deadline_seconds,
            file=(f"{key}.jsonl", lines),
            purpose="batch",
        )
        return str(file.id)

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Start a batch. After an error it may exist all the same: ask `find`."""
        batch = self.call(
            lambda client: client.batches.create,
            deadline_seconds=deadline_seconds,
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={BATCH_KEY: key},
        )
        return _job(batch)

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Return the batch that was started under a key, among the latest hundred, or None."""
        page = self.call(lambda client: client.batches.list, deadline_seconds=deadline_seconds, limit=100)
        batches = (batch for batch in page.data if (batch.metadata or {}).get(BATCH_KEY) == key)
        return next((_job(batch) for batch in batches), None)

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Return a batch's status."""
        batch = self.call(lambda client: client.batches.retrieve, deadline_seconds=deadline_seconds, batch_id=batch_id)
        return _job(batch)

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Ask the vendor to stop."""
        batch = self.call(lambda client: client.batches.cancel, deadline_seconds=deadline_seconds, batch_id=batch_id)
        return _job(batch)

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Return a file's content."""
        answer = self.call(lambda client: client.files.content, deadline_seconds=deadline_seconds, file_id=file_id)
        return bytes(answer.content)


def _job(batch: Any) -> BatchJob:
    errors = batch.errors.data if batch.errors and batch.errors.data else []
    return BatchJob(
        id=batch.id,
        status=batch.status,
        output_file=batch.output_file_id or "",
        error="; ".join(error.message or "" for error in errors)[:500],
    )
