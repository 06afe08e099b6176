"""All declarations of metric families, wherever their packages are otherwise used."""

from collections.abc import Mapping
from importlib import import_module

from django.conf import settings

from core.metrics.families import Family, declared


def load() -> Mapping[str, Family]:
    """Imports settings.METRIC_MODULES; returns all families by name."""
    for name in settings.METRIC_MODULES:
        import_module(name)
    return declared.families
