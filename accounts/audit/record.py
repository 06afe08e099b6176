"""Writes entries of the audit log. Entries are only ever added."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db.models import Model

from accounts.audit.actors import Actor
from accounts.models import AuditEntry, Tenant
from accounts.tenancy import scope

_log = structlog.get_logger("docent.audit")


@dataclass(frozen=True, slots=True)
class Target:
    """The object that an action changed."""

    type: str = ""
    id: str = ""
    name: str = ""
    tenant_id: int | None = None

    @classmethod
    def from_row(cls, row: Model, *, personal: bool = False) -> "Target":
        """Creates a target from a row; a `personal` one is named by its number only."""
        tenant_id = row.pk if isinstance(row, Tenant) else getattr(row, "tenant_id", None)
        name = f"#{row.pk}" if personal else str(row)
        return cls(row._meta.label_lower, str(row.pk), name, tenant_id)  # noqa: SLF001  # Django's documented name


def record(
    *,
    actor: Actor,
    action: str,
    now: datetime,
    target: Target | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
    note: str = "",
    outcome: str = AuditEntry.Outcome.DONE,
) -> AuditEntry:
    """Adds an entry in the caller's transaction: the action and its entry are committed together.

    It belongs to the target's tenant, else to the actor's: that tenant's staff may read it.
    """
    target = target or Target()
    with scope.all_tenants("audit: an entry may belong to any tenant, and to none"):
        entry = AuditEntry.objects.create(
            at=now,
            actor=_bounded(actor.name, 150),
            actor_id=actor.id,
            via=actor.via,
            action=_bounded(action, 60),
            outcome=outcome,
            target_type=target.type,
            target_id=_bounded(target.id, 100),
            target=_bounded(target.name, 200),
            tenant_id=target.tenant_id or actor.tenant_id,
            changes=dict(changes or {}),
            reason=_bounded(reason, 500),
            note=_bounded(note, 500),
            address=actor.address,
            request_id=_bounded(actor.request_id, 128),
        )
    _log.info(
        "audit", actor=entry.actor, action=entry.action, target_type=target.type, target_id=target.id, outcome=outcome
    )
    return entry


def _bounded(text: str, most: int) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
