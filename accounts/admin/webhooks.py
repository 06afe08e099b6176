"""Tenants' webhooks: endpoints with secrets shown once, and deliveries."""

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
from core.webhooks import signatures, ssrf_guard
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.publish import send_to
from core.webhooks.task_names import DELIVER


class WebhookForm(forms.ModelForm):
    """Selects the tenant by name and event types by checkbox; validates the URL."""

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
        """Refuses URLs that deliveries may not reach."""
        url: str = self.cleaned_data["url"].strip()
        try:
            ssrf_guard.check_url(url)
        except ssrf_guard.AddressRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return url

    def save(self, commit: bool = True) -> Any:
        """Stores the tenant's number in the row."""
        self.instance.tenant_id = self.cleaned_data["tenant"].pk
        if self.cleaned_data.get("active"):
            self.instance.stopped = ""
        return super().save(commit)


class TenantNames(admin.ModelAdmin):
    """Adds tenants' names to rows of core, which stores their numbers only."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Adds the tenant's slug: one query for all rows."""
        slug = Tenant.objects.filter(pk=OuterRef("tenant_id")).values("slug")[:1]
        rows: QuerySet[Any] = super().get_queryset(request)
        named: QuerySet[Any] = rows.annotate(tenant_slug=Subquery(slug))
        return named

    @admin.display(description="Tenant", ordering="tenant_id")
    def tenant(self, row: Any) -> str:
        """Shows the slug."""
        return str(row.tenant_slug or row.tenant_id)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(StepUpToAdd, TenantNames, TenantAdmin):
    """Endpoints that subscribe to events. The secret is shown once, when it is issued or rotated."""

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
        """Issues a secret for a new endpoint, and shows it once."""
        secret = "" if change else signatures.issue_secret(obj)
        super().save_model(request, obj, form, change)
        if secret:
            self.show(request, _issued(obj, secret))

    @staff_action(
        description="Rotate the secret (the old one signs for 24 h more)",
        consequence="Each endpoint gets a new signing secret, shown once. The old one signs as well for 24 hours.",
        secret=True,
    )
    def rotate(self, request: HttpRequest, endpoint: WebhookEndpoint) -> Issued:
        """Rotates the secret, and shows the new one once."""
        return _issued(endpoint, signatures.rotate_secret(endpoint, now=clock.now()))

    @staff_action(description="Send a test message")
    def try_out(self, request: HttpRequest, endpoint: WebhookEndpoint) -> str:
        """Sends a message of the type webhook.test; its result is under deliveries."""
        delivery = send_to(endpoint, type="webhook.test", data={"by": "staff"}, now=clock.now())
        return f"Message {delivery.message_id} is on its way to {_where(endpoint)}."


def _issued(endpoint: WebhookEndpoint, secret: str) -> Issued:
    return Issued(
        label=f"Webhook {endpoint.url}", secret=secret, snippets=((".env", f"DOCENT_WEBHOOK_SECRET={secret}"),)
    )


def _where(endpoint: WebhookEndpoint) -> str:
    """Returns the URL without its query, which may hold credentials: messages are stored."""
    return endpoint.url.partition("?")[0]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(TenantNames, ReadOnlyTenantAdmin):
    """Messages and delivery attempts."""

    tenant_field = ""
    list_display = ["message_id", "tenant", "type", "endpoint", "state", "attempts", "due_at", "last", "created_at"]
    list_filter = ["state", "type"]
    search_fields = ["message_id__exact"]
    date_hierarchy = "created_at"
    actions = ["again"]

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        """Joins the endpoint: one query for all rows."""
        return ["endpoint"]

    @admin.display(description="Last attempt")
    def last(self, delivery: WebhookDelivery) -> str:
        """Shows the status or error."""
        line = delivery.log[-1] if delivery.log else {}
        return str(line.get("status") or line.get("error") or "-")

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Allows staff who may change webhooks to send messages again."""
        return request.user.has_perm("core.change_webhookendpoint")

    @staff_action(permissions=["resend"], description="Send again, from the first attempt")
    def again(self, request: HttpRequest, delivery: WebhookDelivery) -> str:
        """Sends messages again that were given up, or that the receiver has lost."""
        delivery.state, delivery.attempts, delivery.due_at = WebhookDelivery.State.PENDING, 0, clock.now()
        delivery.save(update_fields=["state", "attempts", "due_at"])
        enqueue(DELIVER, tenant_id=delivery.tenant_id, delivery_id=delivery.pk)
        return f"{delivery} is queued again."
