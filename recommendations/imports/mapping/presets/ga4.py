"""Google Analytics 4: BigQuery export, one JSON object per line. Times are microseconds; events contain items."""

from recommendations.imports.mapping.presets.base import FilePreset, Preset, Raw


def _items(raw: Raw) -> list[Raw]:
    """One event per item; an event without items stays one event without an item."""
    items = raw.get("items")
    if not isinstance(items, list):
        return [raw]
    return [{**raw, "items": each} for each in items] or [{**raw, "items": None}]


PRESETS = (
    Preset(
        "ga4",
        "Google Analytics 4: events of the BigQuery export",
        {
            "events": FilePreset(
                fields={
                    "user_id": ("user_id", "user_pseudo_id"),
                    "item_id": ("items.item_id", "item_id"),
                    "type": "event_name",
                    "value": ("items.price", "items.price_in_usd", "price"),
                    "occurred_at": "event_timestamp",
                    "context.order": ("ecommerce.transaction_id", "transaction_id"),
                    "context.quantity": ("items.quantity", "quantity"),
                },
                types={
                    "view_item": "view",
                    "select_item": "click",
                    "view_item_list": "impression",
                    "add_to_wishlist": "like",
                    "add_to_cart": "cart",
                    "purchase": "purchase",
                },
                skipped=frozenset(
                    {
                        "remove_from_cart",
                        "view_cart",
                        "begin_checkout",
                        "add_shipping_info",
                        "add_payment_info",
                        "refund",
                        "view_promotion",
                        "select_promotion",
                    }
                ),
                each=_items,
                needs=("item_id",),
                extra="ignore",
                unit="microseconds",
            ),
        },
    ),
)
