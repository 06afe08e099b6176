"""The audit log of what staff do: `record` writes an entry, `snapshot` and `difference` say from what to what."""

from accounts.audit.actors import Actor, of_command, of_request
from accounts.audit.record import Target, record
from accounts.audit.snapshot import difference, snapshot

__all__ = ["Actor", "Target", "difference", "of_command", "of_request", "record", "snapshot"]
