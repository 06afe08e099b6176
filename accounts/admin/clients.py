"""API clients: the secret is shown once, on the page that made it."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import access, clients
from accounts.admin.base import TenantAdmin
from accounts.models import ApiClient
from accounts.permissions import SCOPES
from core import clock

OVERLAP = timedelta(days=1)


class ApiClientForm(forms.ModelForm):
    """Scopes as boxes to tick."""

    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {meaning}") for name, meaning in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        initial=["recommendations:read"],
    )

    class Meta:
        model = ApiClient
        fields = ["tenant", "name", "scopes", "active", "expires_at"]


@admin.register(ApiClient)
class ApiClientAdmin(TenantAdmin):
    """Machine credentials of tenants."""

    form = ApiClientForm
    list_display = ["name", "tenant", "client_id", "scope_list", "active", "expires_at", "last_used_at"]
    list_filter = ["active"]
    search_fields = ["name", "client_id", "tenant__slug"]
    readonly_fields = ["client_id", "previous_secret_until", "created_at", "last_used_at"]
    actions = ["rotate_secret", "renew_secret", "deactivate"]

    @admin.display(description="Scopes")
    def scope_list(self, client: ApiClient) -> str:
        """The scopes in one line."""
        return ", ".join(client.scopes)

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        """Creating issues a secret and shows it, once."""
        if change:
            super().save_model(request, obj, form, change)
            if {"active", "expires_at"} & set(form.changed_data):
                access.announce(client=obj, now=clock.now())
            return
        issued = clients.issue(
            tenant=obj.tenant, name=obj.name, scopes=obj.scopes, expires_at=obj.expires_at, active=obj.active
        )
        obj.pk, obj.client_id, obj.secret_hash = issued.client.pk, issued.client.client_id, issued.client.secret_hash
        self._show(request, issued)

    def has_delete_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        """A client is deactivated, not deleted: the tokens it has would be refused by nobody."""
        return False

    @admin.action(permissions=["change"], description="New secret; the one before is good for a day more")
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        """New secrets for the chosen clients, shown once; time to bring them to where they are used."""
        for client in queryset:
            self._show(request, clients.renew_secret(client=client, now=clock.now(), overlap=OVERLAP))

    @admin.action(permissions=["change"], description="New secret; the one before stops at once")
    def renew_secret(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        """Likewise, for secrets that somebody else may know."""
        for client in queryset:
            self._show(request, clients.renew_secret(client=client, now=clock.now()))

    @admin.action(permissions=["change"], description="Revoke: no token, and those it has refused within 5 seconds")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        """Stops the chosen clients, their tokens and their refresh families."""
        now, chosen = clock.now(), list(queryset)
        for client in chosen:
            access.deactivate(client=client, now=now)
        self.message_user(request, f"{len(chosen)} deactivated.")

    def _show(self, request: HttpRequest, issued: clients.IssuedSecret) -> None:
        text = f"Client {issued.client.client_id}: the secret is {issued.secret} . It is shown this once; keep it now."
        self.message_user(request, text, messages.WARNING)
