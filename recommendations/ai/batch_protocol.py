"""Protocol and data of a vendor's batch interface."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A batch's status at the vendor."""

    id: str
    status: str
    """`completed`, `expired`, `failed` and `cancelled` are final."""
    output_file: str = ""
    """Id of the answers' file, one line each; it may exist without `completed`."""
    error: str = ""

    @property
    def final(self) -> bool:
        """True once no more answers will come."""
        return self.status in {"completed", "expired", "failed", "cancelled"}


class BatchProvider(Protocol):
    """A vendor that answers many questions within a day at a lower price.

    Every call is one request and may raise `ProviderError`.
    """

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """Upload the questions as JSON lines; return the file's id."""

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Start a batch over a file; `find` returns it by its key."""

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Return the batch that was started under a key, or None."""

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Return a batch's status."""

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Ask the vendor to stop; answers up to then can be collected."""

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Return a file's content."""

    def close(self) -> None:
        """Close the connections."""
