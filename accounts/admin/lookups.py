"""Lookups in a list's query string, restricted to what the list shows, filters by, or searches."""

from typing import Any

from django.contrib import admin
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest


class ShownLookups(admin.ModelAdmin):
    """Prevents guessing the values of hidden columns, letter by letter."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Applies Django's own rule, and requires one of the list's fields."""
        parts = lookup.split(LOOKUP_SEP)
        fields = {field.name: field for field in self.opts.get_fields()}
        fields |= {field.attname: field for field in self.opts.concrete_fields}
        if parts[0] == "pk" or parts[0] not in fields:
            return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[arg-type]
        field: Any = fields[parts[0]]
        if field.name not in self._shown(request) and not getattr(field, "primary_key", False):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[arg-type]

    def _shown(self, request: HttpRequest | None) -> set[str]:
        filters = self.get_list_filter(request) if request is not None else self.list_filter
        columns = self.get_list_display(request) if request is not None else self.list_display
        names = [each[0] if isinstance(each, list | tuple) else each for each in filters]
        names += [*columns, self.date_hierarchy or ""]
        return {name.split(LOOKUP_SEP)[0] for name in names if isinstance(name, str)}
