"""The audit log of staff actions: `record` writes an entry, `snapshot` and `difference` give the changes."""

from accounts.audit.actors import Actor, command_actor, request_actor
from accounts.audit.record import Target, record
from accounts.audit.snapshot import difference, snapshot

__all__ = ["Actor", "Target", "command_actor", "difference", "record", "request_actor", "snapshot"]
