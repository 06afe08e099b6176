"""What of a tenant may leave the house: the switch, and the attributes that it has released."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.tenancy import scope
from recommendations.ai.models import AIRelease


@dataclass(frozen=True, slots=True)
class SharingConsent:
    """A tenant's choice; by default AI may run and no attribute leaves."""

    enabled: bool = True
    item_attributes: tuple[str, ...] = ()
    person_attributes: tuple[str, ...] = ()

    def of_item(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return the attributes of an item that may be sent, as texts."""
        return _chosen(self.item_attributes, attributes)

    def user_attributes_to_share(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return the attributes of a person that may be sent, as texts."""
        return _chosen(self.person_attributes, attributes)


def sharing_consent(tenant_id: int) -> SharingConsent:
    """Return what a tenant has released."""
    with scope.tenant(tenant_id):
        row = AIRelease.objects.filter(tenant_id=tenant_id).first()
    return (
        SharingConsent(row.enabled, tuple(row.item_attributes), tuple(row.person_attributes))
        if row
        else SharingConsent()
    )


def _chosen(names: Iterable[str], attributes: Mapping[str, Any]) -> dict[str, str]:
    texts = ((name, _text(attributes[name])) for name in names if name in attributes)
    return {name: text for name, text in texts if text}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)
