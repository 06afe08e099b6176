"""What the rest of the service knows about a vendor's batch interface: a protocol and its data."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A batch as the vendor sees it."""

    id: str
    status: str
    """``completed``, ``expired``, ``failed`` and ``cancelled`` are final."""
    output_file: str = ""
    """Answers, one line each; there may be some without `completed`."""
    error: str = ""

    @property
    def final(self) -> bool:
        """Tell whether nothing more will come."""
        return self.status in {"completed", "expired", "failed", "cancelled"}


class BatchProvider(Protocol):
    """A vendor that answers many questions within a day for less.

    Every call is one request and may raise `ProviderError`.
    """

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """Hand in the questions (JSON lines); return the name of their file."""

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Begin a batch over a file, under a key by which `find` knows it again."""

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Return the batch that was submitted under a key, or None."""

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Return how far a batch is."""

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Ask the vendor to stop; what was answered until then may be collected."""

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Return a file's content."""

    def close(self) -> None:
        """Give connections back."""
