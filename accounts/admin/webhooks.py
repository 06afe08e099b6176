"""Tenants' webhooks: where to, of what, the secret shown once; and what became of each message."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyTenantAdmin, TenantAdmin
from accounts.models import Tenant
from core import clock
from core.queue import enqueue
from core.webhooks import addresses, endpoints
from core.webhooks.emit import send_to
from core.webhooks.jobs import DELIVER
from core.webhooks.models import WebhookDelivery, WebhookEndpoint


class WebhookForm(forms.ModelForm):
    """The tenant by name, types as boxes to tick, an address that may be reached."""

    tenant = forms.ModelChoiceField(Tenant.objects.none())
    events = forms.MultipleChoiceField(choices=(), widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = WebhookEndpoint
        fields = ["tenant", "url", "description", "events", "active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenant: Any = self.fields["tenant"]
        events: Any = self.fields["events"]
        # Of the scope of this request: confined staff see one.
        tenant.queryset = Tenant.objects.order_by("slug")
        events.choices = [(name, f"{name}: {meaning}") for name, meaning in settings.WEBHOOK_EVENTS.items()]
        if self.instance.pk:
            tenant.initial, tenant.disabled = self.instance.tenant_id, True

    def clean_url(self) -> str:
        """Refuses what could not be delivered to anyway."""
        url: str = self.cleaned_data["url"].strip()
        try:
            addresses.check_url(url)
        except addresses.AddressRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return url

    def save(self, commit: bool = True) -> Any:
        """The tenant's number goes to the row."""
        self.instance.tenant_id = self.cleaned_data["tenant"].pk
        if self.cleaned_data.get("active"):
            self.instance.stopped = ""
        return super().save(commit)


class TenantNames:
    """Core knows tenants by number only: their names come here."""

    @admin.display(description="Tenant", ordering="tenant_id")
    def tenant(self, row: Any) -> str:
        """The slug."""
        names: dict[int, str] = dict(Tenant.objects.filter(pk=row.tenant_id).values_list("pk", "slug"))
        return names.get(row.tenant_id, str(row.tenant_id))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TenantNames, TenantAdmin):
    """Addresses that hear of events. The secret is shown once, when it is made or rotated."""

    form = WebhookForm
    tenant_field = ""
    list_display = ["url", "tenant", "events", "active", "stopped", "created_at"]
    list_filter = ["active"]
    search_fields = ["url", "description"]
    readonly_fields = ["stopped", "created_at"]
    actions = ["rotate", "try_out"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Confined staff create for their own tenant."""
        initial = dict(super().get_changeform_initial_data(request))
        initial.pop("", None)
        if tenant_id := getattr(request.user, "tenant_id", None):
            initial["tenant"] = tenant_id
        return initial

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        """Creating makes a secret and shows it, once."""
        secret = "" if change else endpoints.give_secret(obj)
        super().save_model(request, obj, form, change)
        if secret:
            self._show(request, obj, secret)

    @admin.action(permissions=["change"], description="Rotate the secret (the old one signs for a day more)")
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """New secrets for the chosen, shown once."""
        for endpoint in queryset:
            self._show(request, endpoint, endpoints.rotate(endpoint, now=clock.now()))

    @admin.action(permissions=["change"], description="Send a message to try it out")
    def try_out(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """A message of the type webhook.test; what became of it stands under deliveries."""
        for endpoint in queryset:
            delivery = send_to(endpoint, type="webhook.test", data={"by": "staff"}, now=clock.now())
            self.message_user(request, f"Message {delivery.message_id} is on its way to {endpoint.url}.")

    def _show(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> None:
        text = f"Webhook {endpoint.url}: the secret is {secret} . It is shown this once; keep it now."
        self.message_user(request, text, messages.WARNING)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(TenantNames, ReadOnlyTenantAdmin):
    """Messages and attempts."""

    tenant_field = ""
    list_display = ["message_id", "tenant", "type", "endpoint", "state", "attempts", "due_at", "last", "created_at"]
    list_filter = ["state", "type"]
    search_fields = ["message_id__exact"]
    date_hierarchy = "created_at"
    actions = ["again"]

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        """The address stands in every row: one query."""
        return ["endpoint"]

    @admin.display(description="Last attempt")
    def last(self, delivery: WebhookDelivery) -> str:
        """Status or error."""
        line = delivery.log[-1] if delivery.log else {}
        return str(line.get("status") or line.get("error") or "-")

    @admin.action(permissions=["view"], description="Deliver again, from the first attempt")
    def again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        """For messages that were given up, and those that the receiver has lost."""
        if not request.user.has_perm("core.change_webhookendpoint"):
            self.message_user(request, "You may not do this.", messages.ERROR)
            return
        for delivery in queryset:
            delivery.state, delivery.attempts, delivery.due_at = WebhookDelivery.State.PENDING, 0, clock.now()
            delivery.save(update_fields=["state", "attempts", "due_at"])
            enqueue(DELIVER, tenant_id=delivery.tenant_id, delivery_id=delivery.pk)
