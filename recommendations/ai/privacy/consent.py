"""A tenant's sharing consent: the AI opt-out, and the attributes that may be sent to the provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.tenancy import scope
from recommendations.ai.models import AIRelease


@dataclass(frozen=True, slots=True)
class SharingConsent:
    """A tenant's consent; by default AI may run and no attribute is sent."""

    enabled: bool = True
    item_attributes: tuple[str, ...] = ()
    person_attributes: tuple[str, ...] = ()

    def of_item(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return an item's attributes that may be sent, as strings."""
        return _shareable(self.item_attributes, attributes)

    def user_attributes_to_share(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return a user's attributes that may be sent, as strings."""
        return _shareable(self.person_attributes, attributes)


def sharing_consent(tenant_id: int) -> SharingConsent:
    """Return a tenant's consent."""
    with scope.tenant(tenant_id):
        row = AIRelease.objects.filter(tenant_id=tenant_id).first()
    return (
        SharingConsent(row.enabled, tuple(row.item_attributes), tuple(row.person_attributes))
        if row
        else SharingConsent()
    )


def _shareable(names: Iterable[str], attributes: Mapping[str, Any]) -> dict[str, str]:
    texts = ((name, _text(attributes[name])) for name in names if name in attributes)
    return {name: text for name, text in texts if text}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)
