"""Experiments: set up as drafts, started and ended by hand, with a page of what was found."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from accounts.admin import relations
from accounts.admin.actions import staff_action
from accounts.admin.base import ReadOnlyTenantAdmin, TenantAdmin
from core import clock
from recommendations.experiments import lifecycle
from recommendations.experiments.experiment_metrics import ArmOutcome
from recommendations.experiments.lifecycle import ArmComparison, InterimAnalysis
from recommendations.experiments.sequential_test import Comparison, Share
from recommendations.models import Artefact, Experiment, ExperimentArm, Exposure, PlacementVersion
from recommendations.pipeline.artefacts import experiment_start


class ArmFormSet(BaseInlineFormSet):
    """An arm's version must be the placement's, its artefact the tenant's."""

    def clean(self) -> None:
        """Refuses, beside the field, what belongs to others."""
        super().clean()
        for form in self.forms:
            given: dict[str, Any] = getattr(form, "cleaned_data", {})
            version, artefact = given.get("version"), given.get("artefact")
            if version is not None and version.placement_id != self.instance.placement_id:
                form.add_error("version", "This version belongs to another placement.")
            if artefact is not None and artefact.tenant_id != self.instance.tenant_id:
                form.add_error("artefact", "This artefact belongs to another tenant.")


class VersionChoice(relations.TenantField):
    """Versions with their tenants and placements: a number says little alone."""

    def label_from_instance(self, obj: Any) -> str:
        """The tenant, the placement, the number, and whether it is a draft."""
        return f"{obj.tenant} / {obj.placement} {obj}"


class ArmInline(admin.TabularInline):
    """The arms; a is the control. They stay as they are once the experiment has started."""

    model = ExperimentArm
    formset = ArmFormSet
    fields = ["letter", "percent", "version", "artefact", "ai"]
    extra = 2

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices of an arm: versions with their placements, and artefacts that may serve."""
        tenant_id = relations.tenant_of(request, "tenant")
        if db_field.name == "version":
            versions = PlacementVersion.objects.select_related("placement").order_by("placement", "-number")
            return relations.choose(db_field, request, tenant_id, **kwargs, queryset=versions, form_class=VersionChoice)
        if db_field.name == "artefact":
            kept = Artefact.objects.filter(refused=False).order_by("-pk")
            return relations.choose(db_field, request, tenant_id, **kwargs, queryset=kept)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _draft(self, experiment: Any) -> bool:
        return experiment is None or experiment.status == Experiment.Status.DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only to a draft."""
        return self._draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a draft's."""
        return self._draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only a draft's."""
        return self._draft(obj) and super().has_delete_permission(request, obj)


@admin.register(Experiment)
class ExperimentAdmin(TenantAdmin):
    """Comparisons at placements."""

    inlines = [ArmInline]
    list_display = ["name", "tenant", "placement", "status", "metric", "verdict", "started_at", "found"]
    list_filter = ["status"]
    search_fields = ["name"]
    readonly_fields = ["status", "verdict", "looked_at", "started_at", "ended_at"]
    actions = ["start", "end"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The decision rule is fixed before a result has been seen."""
        own = tuple(super().get_readonly_fields(request, obj))
        if obj is None or obj.status == Experiment.Status.DRAFT:
            return own
        return (*own, "placement", "metric", "horizon_hours", "alpha", "max_days")

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """An arm belongs to its experiment's tenant."""
        for arm in formset.save(commit=False):
            arm.tenant_id = form.instance.tenant_id
            arm.save()
        for arm in formset.deleted_objects:
            arm.delete()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts: what was found stays."""
        draft = obj is None or obj.status == Experiment.Status.DRAFT
        return draft and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        """With the page of what was found."""
        view = self.admin_site.admin_view(self.results)
        return [
            path("<int:pk>/results/", view, name="recommendations_experiment_results"),
            *super().get_urls(),
        ]

    @admin.display(description="Results")
    def found(self, experiment: Experiment) -> str:
        """The way to the page."""
        return format_html(
            '<a href="{}">results</a>', reverse("admin:recommendations_experiment_results", args=[experiment.pk])
        )

    @staff_action(
        description="Start (users are assigned to arms from the next build on)",
        consequence="Users at the placement get the lists of their arms from the next build on. The test is fixed.",
    )
    def start(self, request: HttpRequest, experiment: Experiment) -> str:
        """Starts a draft."""
        experiment_start.start_experiment(tenant_id=experiment.tenant_id, experiment_id=experiment.pk, now=clock.now())
        return f"{experiment} has started."

    @staff_action(
        description="End (arms are dropped with the next build)",
        consequence="The comparison ends permanently and cannot be restarted.",
    )
    def end(self, request: HttpRequest, experiment: Experiment) -> str:
        """Ends a running one."""
        lifecycle.end(tenant_id=experiment.tenant_id, experiment_id=experiment.pk, now=clock.now())
        return f"{experiment} has ended."

    def results(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The present results."""
        experiment = self.get_queryset(request).select_related("placement", "tenant").filter(pk=pk).first()
        if experiment is None:
            raise Http404
        if not self.has_view_permission(request, experiment):
            raise PermissionDenied
        seen = lifecycle.analyse(experiment, now=clock.now()) if experiment.arms.exists() else None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Results: {experiment}",
            "experiment": experiment,
            "look": seen,
            "rows": _rows(seen, _differences(experiment)) if seen else [],
        }
        return TemplateResponse(request, "admin/recommendations/experiment_results.html", context)


@admin.register(Exposure)
class ExposureAdmin(ReadOnlyTenantAdmin):
    """Users in a comparison, with their first click and conversion of a week."""

    personal = True
    list_display = ["end_user", "tenant", "placement", "arm", "week", "first_at", "click_at", "conversion_at"]
    search_fields = ["end_user__user_id__exact"]
    list_filter = ["week"]


def _differences(experiment: Experiment) -> dict[str, str]:
    """Describe each arm, by label."""
    arms = ExperimentArm.objects.filter(tenant_id=experiment.tenant_id, experiment=experiment)
    return {arm.label: ", ".join(_special(arm)) or "as usual" for arm in arms.select_related("version")}


def _special(arm: ExperimentArm) -> Iterator[str]:
    if arm.version is not None:
        yield f"rules of v{arm.version.number}"
    if arm.artefact_id is not None:
        yield f"artefact #{arm.artefact_id}"
    if not arm.ai:
        yield "without AI"


def _rows(seen: InterimAnalysis, special: Mapping[str, str]) -> list[dict[str, str]]:
    control = _row(seen.control, None, special)
    return [control, *(_row(each.outcome, each, special) for each in seen.comparisons)]


def _row(outcome: ArmOutcome, against: ArmComparison | None, special: Mapping[str, str]) -> dict[str, str]:
    return {
        "arm": outcome.arm + (" (control)" if against is None else ""),
        "made": special.get(outcome.arm, ""),
        "people": f"{outcome.people:,}",
        "compared": f"{outcome.clicks.people:,}",
        "clicked": _share(outcome.clicks),
        "converted": _share(outcome.conversions),
        "metric": _comparison(against.metric) if against else "",
        "guard": _comparison(against.guard) if against else "",
    }


def _share(share: Share) -> str:
    return f"{share.successes:,} ({100 * share.value:.2f} %)"


def _comparison(found: Comparison) -> str:
    if found.low is None or found.high is None:
        return f"{100 * found.difference:+.2f} points, too few users"
    interval = f"{100 * found.low:+.2f} to {100 * found.high:+.2f}"
    return f"{100 * found.difference:+.2f} points ({interval}), p {found.p:.4f}"
