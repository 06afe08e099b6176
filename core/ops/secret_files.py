"""The age of secrets that come from files (`NAME_FILE`): the time since each file was written."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.metrics import SECRET_AGE, SECRETS
from core.metrics.families import Value


def measure(*, now: datetime) -> Iterator[Value]:
    """Yields the age of each secret that this process reads from a file."""
    for name in SECRETS:
        if path := os.environ.get(f"{name}_FILE"):
            yield SECRET_AGE, (name,), max(0.0, now.timestamp() - Path(path).stat().st_mtime)
