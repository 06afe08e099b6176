"""API clients: the secret is shown once, on the page that made it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import clients
from accounts.admin.base import TenantAdmin
from accounts.models import ApiClient
from accounts.permissions import SCOPES


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
    readonly_fields = ["client_id", "created_at", "last_used_at"]
    actions = ["renew_secret", "deactivate"]

    @admin.display(description="Scopes")
    def scope_list(self, client: ApiClient) -> str:
        """The scopes in one line."""
        return ", ".join(client.scopes)

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        """Creating issues a secret and shows it, once."""
        if change:
            super().save_model(request, obj, form, change)
            return
        issued = clients.issue(
            tenant=obj.tenant, name=obj.name, scopes=obj.scopes, expires_at=obj.expires_at, active=obj.active
        )
        obj.pk, obj.client_id, obj.secret_hash = issued.client.pk, issued.client.client_id, issued.client.secret_hash
        self._show(request, issued)

    def has_delete_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        """A client is deactivated, not deleted: the tokens it has would be refused by nobody."""
        return False

    @admin.action(permissions=["change"], description="Give a new secret (the old one stops at once)")
    def renew_secret(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        """New secrets for the chosen clients, shown once."""
        for client in queryset:
            self._show(request, clients.renew_secret(client=client))

    @admin.action(permissions=["change"], description="Deactivate (refused within 5 seconds)")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        """Stops the chosen clients and their tokens."""
        self.message_user(request, f"{queryset.update(active=False)} deactivated.")

    def _show(self, request: HttpRequest, issued: clients.IssuedSecret) -> None:
        text = f"{issued.client.client_id}: the secret is {issued.secret} . It is shown this once; keep it now."
        self.message_user(request, text, messages.WARNING)
