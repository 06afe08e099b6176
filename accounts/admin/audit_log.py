"""The audit log, to read: staff of one tenant see that tenant's entries, by row-level security."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from accounts.admin.base import ReadOnlyTenantAdmin
from accounts.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyTenantAdmin):
    """The audit log, read-only."""

    list_display = ["at", "actor", "action", "what", "tenant", "changed", "reason", "outcome", "address", "request_id"]
    list_display_links = ["at"]
    list_filter = ["outcome", "via", "action", "target_type"]
    search_fields = ["actor", "target", "target_id__exact", "request_id__exact", "reason", "address__startswith"]
    date_hierarchy = "at"
    fields = [
        "when", "actor", "via", "action", "outcome", "target_type", "target_id", "target", "tenant", "from_to",
        "reason", "note", "address", "request_id",
    ]  # fmt: skip
    readonly_fields = ["when", "from_to"]

    @admin.display(description="Time")
    def when(self, entry: AuditEntry) -> str:
        """Shows the time to the second, with the time zone."""
        return f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"

    @admin.display(description="What", ordering="target")
    def what(self, entry: AuditEntry) -> str:
        """Shows the kind and the name."""
        return f"{entry.target_type.rpartition('.')[2]} {entry.target}".strip()

    @admin.display(description="From → to")
    def changed(self, entry: AuditEntry) -> str:
        """Shows the first changes in one line."""
        shown = [f"{name}: {_short(both['from'])} → {_short(both['to'])}" for name, both in entry.changes.items()]
        return "; ".join(shown[:3]) + (f"; and {len(shown) - 3} more" if len(shown) > 3 else "")

    @admin.display(description="From → to")
    def from_to(self, entry: AuditEntry) -> str:
        """Shows all changes as stored."""
        return format_html("<pre>{}</pre>", json.dumps(entry.changes, indent=2, ensure_ascii=False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Allowed for staff with the permission to read the log."""
        return request.user.has_perm("accounts.view_auditentry")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
