"""Shopify: the product export. A product's first row has its title; further rows are variants and images of it."""

from html import unescape
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.utils.html import strip_tags

from recommendations.imports.mapping.presets.base import MISSING, FilePreset, Preset, Raw, find, first

_TITLE = ("Title",)
_LIMIT = 20_000


def _of_first_row(*names: str) -> Any:
    """Of rows without a title, what is said is about a variant or an image."""

    def read(raw: Raw) -> Any:
        return first(raw, names) if first(raw, _TITLE) not in (MISSING, None, "") else MISSING

    return read


def _text(raw: Raw) -> Any:
    """The description without its HTML."""
    value = first(raw, ("Body (HTML)", "Body HTML", "Description"))
    if not isinstance(value, str):
        return value
    html = value[: 10 * _LIMIT].replace("<", " <")
    try:
        text = unescape(strip_tags(html))
    except SuspiciousOperation:  # of text with very many unclosed tags
        text = html
    return " ".join(text.split())[:_LIMIT]


def _categories(raw: Raw) -> Any:
    """Type, the last of the product category's path, and tags."""
    values = [find(raw, name) for name in ("Type", "Product Category", "Custom Product Type", "Tags")]
    if all(value is MISSING for value in values):
        return MISSING
    kind, path, own, tags = (value if isinstance(value, str) else "" for value in values)
    found = [kind, path.rsplit(">", 1)[-1], own, *tags.split(",")]
    return "|".join(dict.fromkeys(name.strip().replace("|", "/") for name in found if name.strip()))


def _hidden(raw: Raw) -> Any:
    """A draft, an archived product, and one that is not published is not shown. `Status` may be missing (old)."""
    status, published = find(raw, "Status"), first(raw, ("Published", "Published on online store"))
    if status in (MISSING, None, "") and published in (MISSING, None, ""):
        return MISSING
    said = [value.lower() if isinstance(value, str) else value for value in (status, published)]
    return said[0] in ("draft", "archived") or said[1] in ("false", False)


PRESETS = (
    Preset(
        "shopify",
        "Shopify: product export",
        {
            "items": FilePreset(
                fields={
                    "item_id": ("Handle", "URL handle"),
                    "title": "Title",
                    "description": _text,
                    "categories": _categories,
                    "hidden": _hidden,
                    "attributes.vendor": "Vendor",
                    "attributes.price": _of_first_row("Variant Price", "Price"),
                    "attributes.sku": _of_first_row("Variant SKU", "SKU"),
                    "attributes.image": _of_first_row("Image Src", "Product image URL"),
                },
                extra="ignore",
            ),
        },
    ),
)
