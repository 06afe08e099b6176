"""References from a tenant's row: only rows of the same tenant, labelled with its name."""

from typing import Any

from django import forms
from django.db.models import ForeignKey, Model
from django.http import HttpRequest

from accounts.models import Tenant

OTHER_TENANT = "This belongs to another tenant ({other}), not to {own}."


def is_tenants(model: Any) -> bool:
    """True where the model's rows belong to a tenant."""
    return any(field.name == "tenant" for field in model._meta.concrete_fields)  # noqa: SLF001


class TenantSelect(forms.Select):
    """Marks each choice with its tenant, so that the page shows those of the selected tenant only."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Adds the tenant's number."""
        option = super().create_option(name, value, *args, **kwargs)
        row: Any = getattr(value, "instance", None)
        if row is not None:
            option["attrs"]["data-tenant"] = str(row.tenant_id)
        return option


class TenantField(forms.ModelChoiceField):
    """Rows of tenants, each labelled with its tenant, since two tenants may both have a `home`."""

    widget = TenantSelect

    def label_from_instance(self, obj: Any) -> str:
        """The tenant and the row."""
        return f"{obj.tenant} / {obj}"


def tenant_of(request: HttpRequest, field: str) -> int | None:
    """The tenant of the form's row, where known: the row's, the user's, or the one named in the address."""
    row = getattr(request, "form_of", None)
    known = getattr(row, "tenant_id", None) or getattr(request.user, "tenant_id", None) or request.GET.get(field)
    return int(str(known)) if str(known or "").isdecimal() else None


def choose(db_field: ForeignKey, request: HttpRequest, tenant_id: int | None, **kwargs: Any) -> Any:
    """The form's field for a key to rows of tenants; of the one tenant, where it is known."""
    rows = kwargs.pop("queryset", None)
    if rows is None:
        related: Any = db_field.related_model
        rows = related._default_manager.all()  # noqa: SLF001  # Django's documented name
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    kwargs.setdefault("form_class", TenantField)
    kwargs.pop("widget", None)
    return db_field.formfield(queryset=rows.select_related("tenant"), **kwargs)


class SameTenant(forms.ModelForm):
    """Refuses rows of another tenant, beside the field. Mixed into every form of a tenant's rows."""

    def clean(self) -> dict[str, Any]:
        """Applies the form's own rules, then checks that each chosen row is the tenant's."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        own = given.get("tenant") or _tenant_of(self.instance)
        if not isinstance(own, Tenant):
            return given
        for name, chosen in list(given.items()):
            whose: Any = chosen if isinstance(chosen, Model) and is_tenants(chosen) else None
            if whose is not None and whose.tenant_id != own.pk:
                self.add_error(name, OTHER_TENANT.format(other=whose.tenant, own=own))
        return given


def _tenant_of(row: Any) -> Tenant | None:
    return row.tenant if getattr(row, "tenant_id", None) and hasattr(row, "tenant") else None
