"""Presets by name, for files as other systems write them. Each system is a module with a table."""

from collections.abc import Mapping

from recommendations.imports.mapping.presets import (
    algolia,
    amazon_personalize,
    ga4,
    google_retail,
    gorse,
    lastfm,
    movielens,
    recombee,
    shopify,
)
from recommendations.imports.mapping.presets.base import Preset

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for module in (algolia, amazon_personalize, ga4, google_retail, gorse, lastfm, movielens, recombee, shopify)
    for preset in module.PRESETS
}
