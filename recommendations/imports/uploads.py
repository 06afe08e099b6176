"""Streaming of uploads into the storage, one part in memory at a time."""

import errno
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.files.base import File
from django.core.files.storage import default_storage

from core.errors import ServiceError, Unavailable
from core.http.pagination import invalid
from core.postgres.pool import release_connection
from recommendations.imports.models import Import

PART = 256 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UploadTooLarge(ServiceError):
    """The file is larger than IMPORT_MAX_BYTES."""

    code = "too_large"
    title = "The file is too large"


@dataclass(frozen=True, slots=True)
class Upload:
    """A spooled file: its name in the storage, its size, and the SHA-256 of the request body."""

    file: str
    size: int
    digest: bytes
    format: Import.Format
    encoding: str | None = None


class _Incoming(File):  # type: ignore[type-arg]  # Django's class is generic for the checker only
    """The file that the storage reads: parts of the request, counted and hashed."""

    def __init__(self, read: Callable[[int], bytes], *, max_bytes: int) -> None:
        super().__init__(file=None, name="upload")
        self._read, self._max_bytes = read, max_bytes
        self.count, self.digest, self.begins = 0, hashlib.sha256(), b""

    def read(self, num_bytes: int = -1) -> bytes:
        """The next part of at most PART bytes.

        Raises: UploadTooLarge.
        """
        part = self._read(min(num_bytes, PART) if num_bytes > 0 else PART)
        self.count += len(part)
        if self.count > self._max_bytes:
            raise UploadTooLarge(f"A file may have at most {self._max_bytes:,} bytes; split or compress it.")
        self.digest.update(part)
        self.begins = self.begins or part[:100]
        return part

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yields all parts."""
        while part := self.read(chunk_size or PART):
            yield part

    def seekable(self) -> bool:
        """False: the request can be read only once."""
        return False

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.count

    def close(self) -> None:
        """Does nothing: the server closes the request."""


def folder(tenant_id: int) -> str:
    """The folder of a tenant's import files in the storage."""
    return f"imports/{tenant_id}"


def spool(
    *,
    tenant_id: int,
    read: Callable[[int], bytes],
    form: Import.Format | None,
    max_bytes: int,
    encoding: str | None = None,
) -> Upload:
    """Writes everything that `read(size)` returns into the storage. Call it outside any scope.

    Raises: UploadTooLarge, InvalidInput for an empty file, Unavailable if the storage is full, and what `read`
    raises; nothing remains in the storage then.
    """
    release_connection()
    incoming = _Incoming(read, max_bytes=max_bytes)
    name = f"{folder(tenant_id)}/{uuid.uuid4().hex}"
    try:
        name = default_storage.save(name, incoming)
        if not incoming.count:
            raise invalid("", "required", "The body is empty; send the file.")
    except BaseException as error:
        default_storage.delete(name)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise Unavailable("The storage of the service is full; the file was not stored.") from error
        raise
    return Upload(name, incoming.count, incoming.digest.digest(), form or _guess_format(incoming.begins), encoding)


def _guess_format(begins: bytes) -> Import.Format:
    """The provisional format, until a worker has detected it."""
    return Import.Format.NDJSON if begins.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")) else Import.Format.CSV


def discard(upload: Upload) -> None:
    """Deletes a spooled file without an import."""
    default_storage.delete(upload.file)
