"""API clients: the secret is shown once, in the answer to the request that made it."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.actions import staff_action
from accounts.admin.base import TenantAdmin
from accounts.admin.secret_page import Issued
from accounts.admin.step_up import StepUpToAdd
from accounts.models import ApiClient
from accounts.staff import privileges
from accounts.tokens import clients
from accounts.tokens.scopes import SCOPES
from core import clock

OVERLAP = timedelta(days=1)
_CURL = (
    "curl -s {base}/api/v1/auth/token -d grant_type=client_credentials \\\n"
    "  -d client_id={client_id} -d client_secret={secret}"
)
BEYOND = "You cannot grant scopes beyond your own privileges: {scopes}."


class ApiClientForm(forms.ModelForm):
    """Scopes as boxes to tick."""

    request: HttpRequest
    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {meaning}") for name, meaning in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        initial=["recommendations:read"],
    )

    class Meta:
        model = ApiClient
        fields = ["tenant", "name", "scopes", "active", "expires_at"]

    def clean_scopes(self) -> list[str]:
        """Refuses scopes beyond the creator's own privileges."""
        chosen: list[str] = self.cleaned_data["scopes"]
        if lacking := privileges.scopes_beyond(self.request.user, chosen):
            raise forms.ValidationError(BEYOND.format(scopes=", ".join(lacking)))
        return chosen


@admin.register(ApiClient)
class ApiClientAdmin(StepUpToAdd, TenantAdmin):
    """Machine credentials of tenants."""

    form = ApiClientForm
    list_display = ["name", "tenant", "client_id", "active", "expires_at", "last_used_at", "scope_list"]
    list_filter = ["active"]
    search_fields = ["name", "client_id", "tenant__slug"]
    readonly_fields = ["client_id", "previous_secret_until", "created_at", "last_used_at"]
    actions = ["rotate_secret", "renew_secret", "deactivate", "activate"]

    @admin.display(description="Scopes")
    def scope_list(self, client: ApiClient) -> str:
        """The scopes in one line."""
        return ", ".join(client.scopes)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Gives the form access to the request."""
        form: Any = super().get_form(request, obj, change, **kwargs)
        return type(form)(form.__name__, (form,), {"request": request})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Makes `active` read-only: an action with a reason revokes a client."""
        own = tuple(super().get_readonly_fields(request, obj))
        return own if obj is None else (*own, "active")

    def has_change_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        """Denies changes of a client with more privileges than the staff user."""
        return super().has_change_permission(request, obj) and (
            obj is None or not privileges.scopes_beyond(request.user, obj.scopes)
        )

    def has_delete_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        """Denies deletion: a client is deactivated, since nothing would refuse a deleted client's tokens."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        """Issues a secret for a new client, and shows it once."""
        if change:
            super().save_model(request, obj, form, change)
            if "expires_at" in form.changed_data:
                clients.apply_active_change(client=obj, now=clock.now())
            return
        issued = clients.issue(
            tenant=obj.tenant, name=obj.name, scopes=obj.scopes, expires_at=obj.expires_at, active=obj.active
        )
        obj.pk, obj.client_id, obj.secret_hash = issued.client.pk, issued.client.client_id, issued.client.secret_hash
        self.show(request, _issued(request, issued))

    @staff_action(
        description="Rotate the secret (the old one works for 24 h)",
        consequence="Each client gets a new secret, shown once. The current one works for 24 h more; older ones stop.",
        secret=True,
    )
    def rotate_secret(self, request: HttpRequest, client: ApiClient) -> Issued:
        """Rotates the secret, leaving time to deploy it."""
        _require(request, client)
        return _issued(request, clients.renew_secret(client=client, now=clock.now(), overlap=OVERLAP))

    @staff_action(
        description="Replace the secret (the old one stops at once)",
        consequence="Each client gets a new secret, shown once. Programs that use the old one are refused from now on.",
        secret=True,
    )
    def renew_secret(self, request: HttpRequest, client: ApiClient) -> Issued:
        """Replaces a secret that may have leaked."""
        _require(request, client)
        return _issued(request, clients.renew_secret(client=client, now=clock.now()))

    @staff_action(
        description="Revoke (its tokens stop working within 5 s)",
        consequence="Programs that use these clients are refused within 5 seconds, with all their tokens.",
    )
    def deactivate(self, request: HttpRequest, client: ApiClient) -> str:
        """Stops the client, its tokens and its refresh families."""
        clients.deactivate(client=client, now=clock.now())
        return f"{client} is revoked."

    @staff_action(
        description="Reactivate",
        consequence="The client can get tokens again with its secret. Its unexpired tokens work again.",
    )
    def activate(self, request: HttpRequest, client: ApiClient) -> str:
        """Undoes a revocation."""
        _require(request, client)
        client.active = True
        client.save(update_fields=["active"])
        clients.apply_active_change(client=client, now=clock.now())
        return f"{client} is active."


def _require(request: HttpRequest, client: ApiClient) -> None:
    if lacking := privileges.scopes_beyond(request.user, client.scopes):
        raise privileges.MoreRights(BEYOND.format(scopes=", ".join(lacking)))


def _issued(request: HttpRequest, issued: clients.IssuedSecret) -> Issued:
    client, base = issued.client, f"{request.scheme}://{request.get_host()}"
    return Issued(
        label=f"Client {client.client_id}",
        secret=issued.secret,
        snippets=(
            (".env", f"DOCENT_URL={base}\nDOCENT_CLIENT_ID={client.client_id}\nDOCENT_CLIENT_SECRET={issued.secret}"),
            (
                "A token with curl",
                _CURL.format(base=base, client_id=client.client_id, secret=issued.secret),
            ),
        ),
    )
