"""Removal of stored files that no row refers to: their process was killed between writing the file and the row."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog
from django.core.files.storage import default_storage

# A file is written before its row: a younger one may belong to work that is still going on.
MIN_AGE = timedelta(days=1)
_log = structlog.get_logger(__name__)


def delete_orphans(folder: str, *, used_files: Callable[[], Collection[str]], now: datetime) -> int:
    """Deletes files of the folder that are older than MIN_AGE and not among `used_files`; returns how many.

    `used_files` is called after the folder has been listed, so that no file which got its row meanwhile is deleted.
    """
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    used = used_files()
    deleted = 0
    for name in names:
        path = f"{folder}/{name}"
        if path not in used and default_storage.get_modified_time(path) < now - MIN_AGE:
            default_storage.delete(path)
            deleted += 1
            _log.info("orphan_file_deleted", file=path)
    return deleted
