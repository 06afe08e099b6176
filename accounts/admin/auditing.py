"""Audit entries for every change through the admin: the action, the changed values, and the reason."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts import audit
from accounts.audit import Target
from accounts.models import AuditEntry
from core import clock

REASON = "_reason"
NO_REASON = "Give a reason: it is kept in the audit log."


def stated_reason(request: HttpRequest) -> str:
    """Returns the reason from the form."""
    return " ".join(request.POST.get(REASON, "").split())[:500]


class AuditedAdmin(admin.ModelAdmin):
    """Django's own log records the action; the audit log also records the changed values and the reason."""

    personal = False
    """True if the rows are about end users: an entry then has their number and none of their values."""

    def record(
        self,
        request: HttpRequest,
        action: str,
        row: Model | None = None,
        *,
        changes: dict[str, Any] | None = None,
        outcome: str = AuditEntry.Outcome.DONE,
        note: str = "",
    ) -> None:
        """Adds an entry about the row, or about the page without one."""
        target = Target.from_row(row, personal=self.personal) if row is not None else Target(self.opts.label_lower)
        audit.record(
            actor=audit.request_actor(request),
            action=action,
            now=clock.now(),
            target=target,
            changes=changes,
            reason=stated_reason(request),
            note=note,
            outcome=outcome,
        )

    def stored_values(self, row: Model) -> dict[str, Any]:
        """Returns the row's values in the database; empty if there is no row."""
        found = row._meta.model._base_manager.filter(pk=row.pk).first() if row.pk is not None else None  # noqa: SLF001
        return audit.snapshot(found, personal=self.personal) if found is not None else {}

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Remembers the row's old values: the form has changed only its own copy so far."""
        if change:
            _before(request)[form.instance.pk] = self.stored_values(form.instance)
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Remembers the old and new values of related rows."""
        changed = [formset for formset in formsets if formset.has_changed()]
        before = [_rows_below(formset, form.instance) for formset in changed]
        super().save_related(request, form, formsets, change)
        below: dict[str, Any] = {}
        for formset, old in zip(changed, before, strict=True):
            new = _rows_below(formset, form.instance)
            for name in {**old, **new}:
                for field, both in audit.difference(old.get(name, {}), new.get(name, {})).items():
                    below[f"{name}.{field}"] = both
        request.audit_below = below  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Logs the addition with the first values."""
        entry = super().log_addition(request, obj, message)
        changes = audit.difference({}, self.stored_values(obj)) | getattr(request, "audit_below", {})
        self.record(request, "added", obj, changes=changes)
        return entry

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Logs the changed values."""
        entry = super().log_change(request, obj, message)
        before = _before(request).pop(obj.pk, None)
        changes = audit.difference(before, self.stored_values(obj)) if before is not None else {}
        note = "" if before is not None else entry.get_change_message()
        self.record(request, "changed", obj, changes=changes | getattr(request, "audit_below", {}), note=note)
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Logs the deletion with the last values."""
        for row in queryset:
            self.record(request, "deleted", row, changes=audit.difference(self.stored_values(row), {}))
        return super().log_deletions(request, queryset)

    def log_done(self, request: HttpRequest, row: Model | None, what: str) -> None:
        """Adds a line to Django's own log, which the row's history shows."""
        if row is not None and row.pk is not None:
            why = stated_reason(request)
            super().log_change(request, row, f"{what}. Reason: {why}" if why else f"{what}.")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Requires a reason."""
        if request.method == "POST" and not stated_reason(request) and self.has_delete_permission(request):
            self.message_user(request, NO_REASON, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().delete_view(request, object_id, extra_context)


def _before(request: HttpRequest) -> dict[Any, dict[str, Any]]:
    if not hasattr(request, "audit_before"):
        request.audit_before = {}  # type: ignore[attr-defined]
    remembered: dict[Any, dict[str, Any]] = request.audit_before  # type: ignore[attr-defined]
    return remembered


def _rows_below(formset: Any, parent: Model) -> dict[str, dict[str, Any]]:
    if parent.pk is None:
        return {}
    rows: Iterable[Model] = formset.model._base_manager.filter(**{formset.fk.name: parent.pk})[:200]  # noqa: SLF001
    return {f"{row._meta.verbose_name} {row}": audit.snapshot(row) for row in rows}  # noqa: SLF001
