"""A quick check that all migrations on disk have been applied to this embedded database cluster.

A hint only: `migrate` always runs. If it has nothing to do, the services may start in parallel.
"""

import hashlib
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_NOTE = "migrated"


def is_current(var: Path, *, checkout: Path = _CHECKOUT) -> bool:
    """Returns true if `remember` saw the same migrations and embedded cluster; false for a foreign database."""
    digest = _digest(var, checkout)
    note = var / _NOTE
    return digest is not None and note.exists() and note.read_text(encoding="utf-8") == digest


def remember(var: Path, *, checkout: Path = _CHECKOUT) -> None:
    """Note that the migrations on disk have just been applied."""
    digest = _digest(var, checkout)
    if digest:
        (var / _NOTE).write_text(digest, encoding="utf-8")


def _digest(var: Path, checkout: Path) -> str | None:
    cluster = var / "postgres" / "PG_VERSION"
    if not cluster.exists():
        return None
    # Written once, when the cluster is made: its age tells clusters apart.
    digest = hashlib.sha256(str(cluster.stat().st_mtime_ns).encode())
    # Django's own migrations come with its version.
    for path in (checkout / "requirements.txt", *sorted(checkout.glob("*/migrations/*.py"))):
        digest.update(str(path.relative_to(checkout)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
