"""Tenants' webhooks: where to, of what, the secret shown once; and what became of each message."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts.admin.actions import staff_action
from accounts.admin.base import ReadOnlyTenantAdmin, TenantAdmin
from accounts.admin.secret_page import Issued
from accounts.admin.step_up import StepUpToAdd
from accounts.models import Tenant
from core import clock
from core.queue import enqueue
from core.webhooks import endpoints, ssrf_guard
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.publish import send_to
from core.webhooks.task_names import DELIVER


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
            ssrf_guard.check_url(url)
        except ssrf_guard.AddressRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return url

    def save(self, commit: bool = True) -> Any:
        """The tenant's number goes to the row."""
        self.instance.tenant_id = self.cleaned_data["tenant"].pk
        if self.cleaned_data.get("active"):
            self.instance.stopped = ""
        return super().save(commit)


class TenantNames(admin.ModelAdmin):
    """Core knows tenants by number only: their names come here, with the rows."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the tenant's slug: one query for all rows."""
        slug = Tenant.objects.filter(pk=OuterRef("tenant_id")).values("slug")[:1]
        rows: QuerySet[Any] = super().get_queryset(request)
        named: QuerySet[Any] = rows.annotate(tenant_slug=Subquery(slug))
        return named

    @admin.display(description="Tenant", ordering="tenant_id")
    def tenant(self, row: Any) -> str:
        """The slug."""
        return str(row.tenant_slug or row.tenant_id)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(StepUpToAdd, TenantNames, TenantAdmin):
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
            self.show(request, _issued(obj, secret))

    @staff_action(
        description="Rotate the secret (the old one signs for 24 h more)",
        consequence="Each gets a new signing secret, shown once. The one before signs beside it for 24 hours.",
        secret=True,
    )
    def rotate(self, request: HttpRequest, endpoint: WebhookEndpoint) -> Issued:
        """A new secret, shown once."""
        return _issued(endpoint, endpoints.rotate(endpoint, now=clock.now()))

    @staff_action(description="Send a message to try it out")
    def try_out(self, request: HttpRequest, endpoint: WebhookEndpoint) -> str:
        """A message of the type webhook.test; what became of it is under deliveries."""
        delivery = send_to(endpoint, type="webhook.test", data={"by": "staff"}, now=clock.now())
        return f"Message {delivery.message_id} is on its way to {_where(endpoint)}."


def _issued(endpoint: WebhookEndpoint, secret: str) -> Issued:
    return Issued(
        label=f"Webhook {endpoint.url}", secret=secret, snippets=((".env", f"DOCENT_WEBHOOK_SECRET={secret}"),)
    )


def _where(endpoint: WebhookEndpoint) -> str:
    """The address without what may be a credential in it: messages are kept."""
    return endpoint.url.partition("?")[0]


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

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Whoever may change webhooks may have their messages sent again."""
        return request.user.has_perm("core.change_webhookendpoint")

    @staff_action(permissions=["resend"], description="Deliver again, from the first attempt")
    def again(self, request: HttpRequest, delivery: WebhookDelivery) -> str:
        """For messages that were given up, and those that the receiver has lost."""
        delivery.state, delivery.attempts, delivery.due_at = WebhookDelivery.State.PENDING, 0, clock.now()
        delivery.save(update_fields=["state", "attempts", "due_at"])
        enqueue(DELIVER, tenant_id=delivery.tenant_id, delivery_id=delivery.pk)
        return f"{delivery} is delivered again."
