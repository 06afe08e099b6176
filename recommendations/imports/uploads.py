"""A file on its way into the storage: as it comes, never more of it in memory than a part."""

import errno
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.files.base import File
from django.core.files.storage import default_storage

from core.errors import ServiceError, Unavailable
from core.http.pagination import invalid
from core.postgres.pool import release
from recommendations.imports.models import Import

PART = 256 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UploadTooLarge(ServiceError):
    """The file is larger than IMPORT_MAX_BYTES."""

    code = "too_large"
    title = "The file is too large"


@dataclass(frozen=True, slots=True)
class Upload:
    """A spooled file: its name in the storage, its size, and the SHA-256 of what was sent."""

    file: str
    size: int
    digest: bytes
    format: Import.Format
    encoding: str | None = None


class _Incoming(File):  # type: ignore[type-arg]  # Django's class is generic for the checker only
    """What a storage reads from: parts of the request, counted and digested on their way."""

    def __init__(self, read: Callable[[int], bytes], *, max_bytes: int) -> None:
        super().__init__(file=None, name="upload")
        self._read, self._max_bytes = read, max_bytes
        self.count, self.digest, self.begins = 0, hashlib.sha256(), b""

    def read(self, num_bytes: int = -1) -> bytes:
        """The next part, at most PART bytes, whatever is asked for.

        Raises: UploadTooLarge.
        """
        part = self._read(min(num_bytes, PART) if num_bytes > 0 else PART)
        self.count += len(part)
        if self.count > self._max_bytes:
            raise UploadTooLarge(f"A file may be at most {self._max_bytes:,} bytes; send it in parts or packed.")
        self.digest.update(part)
        self.begins = self.begins or part[:100]
        return part

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """All parts."""
        while part := self.read(chunk_size or PART):
            yield part

    def seekable(self) -> bool:
        """It comes once."""
        return False

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.count

    def close(self) -> None:
        """The request is closed by others."""


def folder(tenant_id: int) -> str:
    """Where a tenant's import files lie in the storage."""
    return f"imports/{tenant_id}"


def spool(
    *,
    tenant_id: int,
    read: Callable[[int], bytes],
    form: Import.Format | None,
    max_bytes: int,
    encoding: str | None = None,
) -> Upload:
    """Writes what `read(size)` gives until it gives nothing into the storage. Call it outside any scope.

    Without a `form` it is guessed.

    Raises: UploadTooLarge, InvalidInput for an empty file, Unavailable where the storage is full, and what `read`
    raises; then nothing is left behind.
    """
    release()
    incoming = _Incoming(read, max_bytes=max_bytes)
    name = f"{folder(tenant_id)}/{uuid.uuid4().hex}"
    try:
        name = default_storage.save(name, incoming)
        if not incoming.count:
            raise invalid("", "required", "The body is the file; it is empty.")
    except BaseException as error:
        default_storage.delete(name)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise Unavailable("The storage of the service is full; the file was not taken.") from error
        raise
    return Upload(name, incoming.count, incoming.digest.digest(), form or _guessed(incoming.begins), encoding)


def _guessed(begins: bytes) -> Import.Format:
    """What an import is called until a worker has looked into its file."""
    return Import.Format.NDJSON if begins.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")) else Import.Format.CSV


def discard(upload: Upload) -> None:
    """Deletes a spooled file that became no import."""
    default_storage.delete(upload.file)
