"""Staff actions, declared in one way, so that each asks for confirmation where needed and leaves an audit entry.

An action is a method `(self, request, row)` that changes one row and returns a message, or the secret that it issued. A
refusal (ServiceError) is shown and recorded, and leaves the row unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts import audit
from accounts.admin.auditing import NO_REASON, stated_reason
from accounts.admin.secret_page import Issued, secret_page
from accounts.admin.step_up import proof_fault, proof_needed
from accounts.models import AuditEntry
from core.errors import ServiceError

MOST_ROWS = 200
CONFIRMED, PROOF = "_confirmed", "_proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """An action's label, consequence and confirmation, beside its code."""

    name: str
    description: str
    consequence: str = ""
    """The consequence: where there is one, a page states it and asks for a confirmation with a reason."""
    secret: bool = False
    """The action shows or replaces secrets or keys, and requires a fresh proof of identity."""
    one: bool = False
    whole: bool = False
    """The action concerns the whole page, whichever rows are selected."""
    deletes: bool = False


def staff_action(
    *, description: str, permissions: Sequence[str] = ("change",), **spec: Any
) -> Callable[[Callable[..., str | Issued]], Callable[..., HttpResponse | None]]:
    """Declares an action; see Spec for the rest of what it takes."""

    def decorate(do: Callable[..., str | Issued]) -> Callable[..., HttpResponse | None]:
        declared = Spec(name=do.__name__, description=description, **spec)

        @wraps(do)
        def act(page: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
            return _run(page, request, chosen, do, declared)

        act.spec = declared  # type: ignore[attr-defined]
        made: Callable[..., HttpResponse | None] = admin.action(permissions=permissions, description=description)(act)
        return made

    return decorate


def _run(page: Any, request: HttpRequest, chosen: QuerySet[Any], do: Any, spec: Spec) -> HttpResponse | None:
    rows = list(chosen[: MOST_ROWS + 1])
    if len(rows) > MOST_ROWS or (spec.one and len(rows) != 1):
        what = "one row" if spec.one else f"at most {MOST_ROWS} rows"
        page.message_user(request, f"Select {what}.", messages.ERROR)
        return None
    if spec.consequence:
        fault = _fault(request, spec)
        if fault is not None:
            return _confirmation(page, request, rows, spec, fault)
    secrets = [made for row in ([None] if spec.whole else rows) if (made := _apply(page, request, row, do, spec))]
    if secrets:
        return secret_page(request, page.admin_site, secrets, back=request.path, title=spec.description)
    return None


def _fault(request: HttpRequest, spec: Spec) -> str | None:
    """Returns None if the action may run, else the error to show; empty at the first request."""
    if request.POST.get(CONFIRMED) != "yes":
        return ""
    if not stated_reason(request):
        return NO_REASON
    return proof_fault(request, request.POST.get(PROOF, "")) if spec.secret else None


def _apply(page: Any, request: HttpRequest, row: Model | None, do: Any, spec: Spec) -> Issued | None:
    """Applies the action to one row, in its own savepoint; returns the secret that it issued, if any."""
    before = page.stored_values(row) if row is not None else {}
    target, key = row, row.pk if row is not None else None
    try:
        with transaction.atomic():
            result = do(page, request, row)
    except ServiceError as refusal:
        page.record(request, spec.name, target, outcome=AuditEntry.Outcome.REFUSED, note=refusal.detail)
        page.message_user(request, f"{row}: {refusal.detail}" if row is not None else refusal.detail, messages.ERROR)
        return None
    if target is not None and spec.deletes:
        target.pk = key  # deleting takes the number away, and the entry names it
    after = page.stored_values(target) if target is not None else {}
    note = "" if isinstance(result, Issued) else result
    did = "deleted" if spec.deletes else spec.name
    page.record(request, did, target, changes=audit.difference(before, after), note=note)
    page.log_done(request, target, spec.description)
    if isinstance(result, Issued):
        return result
    page.message_user(request, result)
    return None


def _confirmation(page: Any, request: HttpRequest, rows: list[Any], spec: Spec, fault: str) -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": spec.description,
        "spec": spec,
        "opts": page.opts,
        "rows": [] if spec.whole else rows,
        "fault": fault,
        "checkbox": ACTION_CHECKBOX_NAME,
        "keys": [row.pk for row in rows],
        "across": request.POST.get("select_across") == "1",
        "reason": stated_reason(request),
        "proof": proof_needed(request) if spec.secret else "",
        "address": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/accounts/confirm_action.html", context, status=422 if fault else 200)


@staff_action(
    description="Delete",
    permissions=("delete",),
    consequence="The rows are deleted, with everything that belongs to them. There is no way back.",
    deletes=True,
)
def delete_selected(page: Any, request: HttpRequest, row: Any) -> str:
    """Replaces Django's own action, which asks for no reason and does not record what was deleted."""
    name = str(row)
    _, _, lacking, protected = page.get_deleted_objects([row], request)
    if lacking or protected or not page.has_delete_permission(request, row):
        why = "other rows refer to it" if protected else "you may not delete it, or an object deleted with it"
        raise ServiceError(f"It cannot be deleted: {why}.")
    page.delete_model(request, row)
    return f"{name} was deleted."
