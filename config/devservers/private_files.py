"""Files that only their owner may read, written whole or not at all."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

_OWNER_ONLY = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600; a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def ensure_private(path: Path, make: Callable[[], str]) -> str:
    """The file's text; made and written first if there is none."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8")


def random_password() -> str:
    """192 random bits in characters that need no quoting, in a URL or elsewhere."""
    return secrets.token_hex(24)
