"""Placements and the versions of their rules: drafts are written here, published, and rolled back."""

from itertools import zip_longest
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.module_loading import import_string

from accounts.admin.actions import staff_action
from accounts.admin.base import TenantAdmin
from core import clock
from core.errors import InvalidInput, NotFound, ServiceError
from recommendations.models import Placement, PlacementVersion
from recommendations.placements import versions

PREVIEW = "admin:recommendations_placementversion_preview"
# By name, when the page is asked for: it brings the algorithms, which web processes otherwise do without.
MAKE = "recommendations.serving.preview.preview.preview"
ESTIMATE = "recommendations.estimation.estimate.estimate"
WORDING = "recommendations.estimation.text_report"
# Of an estimate in a request; the command takes more time and says more.
ESTIMATE_PAGES, ESTIMATE_SECONDS = 3_000, 15.0


@admin.register(Placement)
class PlacementAdmin(TenantAdmin):
    """Placements."""

    list_display = ["name", "tenant", "ai", "active_version", "active_build"]
    list_filter = ["ai"]
    search_fields = ["name", "tenant__slug"]
    readonly_fields = ["active_version", "active_build"]
    actions = ["roll_back"]

    @staff_action(
        description="Roll back to the previous published version",
        consequence="The earlier rules are published again; before the first version there are none. A build "
        "without training recreates all lists of the placement.",
    )
    def roll_back(self, request: HttpRequest, placement: Placement) -> str:
        """Publishes the earlier version, or none; lists follow by a build without training."""
        version = versions.roll_back_version(tenant_id=placement.tenant_id, placement=placement.name, now=clock.now())
        placement.refresh_from_db()
        what = f"version {version.number} is published" if version else "no version is published, its rules are empty"
        return f"Placement {placement}: {what}; lists follow by a build."


class PreviewForm(forms.Form):
    """For whom."""

    user = forms.CharField(label="End user", max_length=128)


class VersionForm(forms.ModelForm):
    """Refuses rules that cannot be applied, with the place of each mistake."""

    def clean_rules(self) -> Any:
        """The rules, unchanged."""
        rules = self.cleaned_data["rules"]
        try:
            versions.check_rules(rules)
        except InvalidInput as refused:
            raise ValidationError([f"{error.pointer}: {error.detail}" for error in refused.errors]) from None
        return rules


@admin.register(PlacementVersion)
class PlacementVersionAdmin(TenantAdmin):
    """Rules, version by version. What was published once is only read."""

    form = VersionForm
    list_display = ["placement", "number", "tenant", "note", "serving", "created_at", "published_at", "look"]
    list_filter = ["placement__name"]
    search_fields = ["placement__name", "note"]
    readonly_fields = ["number", "created_at", "published_at"]
    actions = ["publish"]

    def get_urls(self) -> list[URLPattern]:
        """With the page that shows what a version would do."""
        view = self.admin_site.admin_view(self.preview)
        return [
            path("<int:pk>/preview/", view, name="recommendations_placementversion_preview"),
            *super().get_urls(),
        ]

    @admin.display(description="Preview")
    def look(self, version: PlacementVersion) -> str:
        """The way to the page."""
        return format_html('<a href="{}">preview</a>', reverse(PREVIEW, args=[version.pk]))

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Preview of the version for one user, beside the served list; nothing is written."""
        version = self.get_queryset(request).select_related("placement", "tenant").filter(pk=pk).first()
        if version is None:
            raise Http404
        person = request.user.has_perm("recommendations.view_enduser")
        if not self.has_view_permission(request, version) or not person:
            raise PermissionDenied
        asked, seen = PreviewForm(request.GET if "user" in request.GET else None), None
        estimated = self._estimated(version) if "estimate" in request.GET else {}
        if asked.is_valid():
            try:
                seen = import_string(MAKE)(
                    tenant_id=version.tenant_id,
                    placement=version.placement.name,
                    number=version.number,
                    user_id=asked.cleaned_data["user"],
                    now=clock.now(),
                )
            except ServiceError as error:
                asked.add_error("user" if isinstance(error, NotFound) else None, error.detail)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Preview: {version.placement} {version}",
            "version": version,
            "form": asked,
            "seen": seen,
            "rows": zip_longest(seen.served.items, seen.would.items) if seen else (),
            **estimated,
        }
        return TemplateResponse(request, "admin/recommendations/placement_preview.html", context)

    def _estimated(self, version: PlacementVersion) -> dict[str, Any]:
        """Estimate the version's clicks; return them in words."""
        try:
            found = import_string(ESTIMATE)(
                tenant_id=version.tenant_id,
                placement=version.placement.name,
                number=version.number,
                now=clock.now(),
                pages=ESTIMATE_PAGES,
                seconds=ESTIMATE_SECONDS,
            )
        except ServiceError as error:
            return {"estimate": [], "told": [error.detail]}
        return {
            "estimate": import_string(f"{WORDING}.rows")(found),
            "told": list(import_string(f"{WORDING}.report_lines")(found)),
        }

    @admin.display(description="Serving", boolean=True)
    def serving(self, version: PlacementVersion) -> bool:
        """Tell whether the version is active."""
        return version.placement.active_version_id == version.pk

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Drafts only."""
        return super().has_change_permission(request, obj) and (obj is None or obj.published_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Drafts only: lists refer to what was published."""
        return super().has_delete_permission(request, obj) and obj is not None and obj.published_at is None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A version stays with its placement: its number is one of that placement's."""
        own = tuple(super().get_readonly_fields(request, obj))
        return own if obj is None else (*own, "placement")

    def save_model(self, request: HttpRequest, obj: PlacementVersion, form: Any, change: bool) -> None:
        """With the next number, for a new one. The form has refused a placement of another tenant."""
        if not change:
            Placement.objects.select_for_update(no_key=True, of=("self",)).get(
                pk=obj.placement_id, tenant_id=obj.tenant_id
            )
            obj.number = versions.next_number(obj.placement)
        super().save_model(request, obj, form, change)

    @staff_action(
        description="Publish (recreates all lists of the placement)",
        consequence="A build starts at once; all lists of the placement then follow these rules. The page “preview” "
        "beside the version estimates the clicks.",
        one=True,
    )
    def publish(self, request: HttpRequest, version: PlacementVersion) -> str:
        """Publishes the version, also an older one."""
        published = versions.publish_version(
            tenant_id=version.tenant_id,
            placement=version.placement.name,
            number=version.number,
            now=clock.now(),
        )
        return f"{version.placement} {published} is published; lists follow by a build."
