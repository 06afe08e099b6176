"""Google Cloud Retail (Vertex AI Search for commerce): user events and products, a JSON object a line."""

from collections.abc import Mapping
from typing import Any

from recommendations.imports.mapping.presets.base import MISSING, FilePreset, Preset, Raw, find, first, joined


def _lines(raw: Raw) -> list[Raw]:
    """An event for each of its products."""
    details = raw.get("productDetails")
    return [{**raw, "productDetails": each} for each in details] if isinstance(details, list) and details else [raw]


def _product_id(raw: Raw) -> Any:
    """The id, which may be the end of a resource name (projects/.../products/123)."""
    value = first(raw, ("id", "name"))
    return value.rsplit("/products/", 1)[-1] if isinstance(value, str) else value


def _own(name: str) -> Any:
    """Custom attributes are {"colour": {"text": [...]}} or {"numbers": [...]}."""

    def read(raw: Raw) -> Any:
        own = find(raw, name)
        if not isinstance(own, Mapping):
            return MISSING
        return {key: _plain(value) for key, value in own.items()}

    return read


def _plain(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    texts, numbers = value.get("text"), value.get("numbers")
    return texts if texts else (numbers[0] if isinstance(numbers, list) and numbers else None)


PRESETS = (
    Preset(
        "google-retail",
        "Google Cloud Retail: user events, products",
        {
            "events": FilePreset(
                fields={
                    "user_id": ("userInfo.userId", "visitorId"),
                    "item_id": ("productDetails.product.id", "productDetails.id"),
                    "type": "eventType",
                    "value": "productDetails.product.priceInfo.price",
                    "occurred_at": "eventTime",
                    "context.order": "purchaseTransaction.id",
                    "context.quantity": "productDetails.quantity",
                },
                types={
                    "detail-page-view": "view",
                    "add-to-cart": "cart",
                    "purchase-complete": "purchase",
                },
                skipped=frozenset(
                    {
                        "home-page-view",
                        "category-page-view",
                        "shopping-cart-page-view",
                        "remove-from-cart",
                        "search",
                        "promotion-offered",
                        "promotion-not-offered",
                    }
                ),
                each=_lines,
                needs=("item_id",),
                extra="ignore",
            ),
            "items": FilePreset(
                fields={
                    "item_id": _product_id,
                    "title": "title",
                    "description": "description",
                    "categories": joined("categories", separator="\n"),
                    "available_from": "availableTime",
                    "available_until": "expireTime",
                    "attributes": _own("attributes"),
                    "attributes.price": "priceInfo.price",
                    "attributes.currency": "priceInfo.currencyCode",
                    "attributes.brand": "brands",
                    "attributes.availability": "availability",
                    "attributes.tags": "tags",
                    "attributes.url": "uri",
                    "attributes.primary_product": "primaryProductId",
                },
                extra="ignore",
            ),
        },
    ),
)
