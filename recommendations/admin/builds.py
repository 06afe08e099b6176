"""Builds, their chunks and artefacts, and the lists they left."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from accounts.admin.actions import staff_action
from accounts.admin.base import ReadOnlyTenantAdmin
from core import clock
from recommendations.algorithms.validation.report import describe_fold, fold_kind
from recommendations.cache.list_codec import Corrupt, decode
from recommendations.models import (
    Artefact,
    Build,
    Chunk,
    FreshItem,
    Placement,
    ReferenceList,
    RelatedPeople,
    Tuning,
    UserList,
)
from recommendations.pipeline.builds.lifecycle import roll_back
from recommendations.placements.models import HOME


@admin.register(Artefact)
class ArtefactAdmin(ReadOnlyTenantAdmin):
    """Artefacts of trainings with the quality gate's verdict, and the action that rolls back to an earlier one."""

    list_display = [
        "id",
        "tenant",
        "standing",
        "fold",
        "ndcg",
        "verdict",
        "items",
        "people",
        "interactions",
        "size_bytes",
        "train_seconds",
        "created_at",
    ]
    list_filter = ["refused"]
    readonly_fields = ["chosen_by"]
    actions = ["serve_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artefact]:
        """With whether it serves."""
        serving = Placement.objects.filter(name=HOME, active_build__artefact=OuterRef("pk"))
        artefacts: QuerySet[Artefact] = super().get_queryset(request)
        return artefacts.annotate(serves=Exists(serving))

    @admin.display(description="State")
    def standing(self, artefact: Any) -> str:
        """Serving, refused, or kept."""
        return "serving" if artefact.serves else "refused" if artefact.refused else "kept"

    @admin.display(description="Fold", empty_value="-")
    def fold(self, artefact: Artefact) -> str:
        """The kind of the validation fold that chose its weights."""
        return fold_kind(artefact.chosen)

    @admin.display(description="Weights chosen by", empty_value="-")
    def chosen_by(self, artefact: Artefact) -> str:
        """That fold in words, and why it was this one."""
        return describe_fold(artefact.chosen)

    @staff_action(
        description="Serve this artefact (recreates all lists)",
        permissions=["serve"],
        consequence="A build recreates all lists of the tenant with this artefact, without training. The current lists "
        "serve until it is published.",
        one=True,
    )
    def serve_again(self, request: HttpRequest, artefact: Artefact) -> str:
        """Starts a build with the one artefact that is selected."""
        build = roll_back(tenant_id=artefact.tenant_id, artefact_id=artefact.pk, now=clock.now())
        return f"Build #{build.pk} recreates all lists with artefact #{artefact.pk}."

    def has_serve_permission(self, request: HttpRequest) -> bool:
        """Tell whether this member of staff may choose the active artefact."""
        return request.user.has_perm("recommendations.change_artefact")


@admin.register(Tuning)
class TuningAdmin(ReadOnlyTenantAdmin):
    """Parameters that replace the defaults. Written by `manage.py tune --save`; delete to return to the defaults."""

    list_display = ["tenant", "parameters", "ndcg", "ndcg_before", "verdict", "stored_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may delete it in general; ReadOnlyTenantAdmin would let nobody."""
        return bool(request.user.has_perm("recommendations.delete_tuning"))


@admin.register(Build)
class BuildAdmin(ReadOnlyTenantAdmin):
    """Runs of the pipeline."""

    list_display = [
        "id",
        "tenant",
        "status",
        "reason",
        "progress",
        "artefact",
        "fold",
        "ai_calls",
        "started_at",
        "published_at",
        "notes",
        "error",
    ]
    list_filter = ["status", "reason"]
    search_fields = ["tenant__slug"]
    readonly_fields = ["chosen_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Build]:
        """With the counts of chunks."""
        done = Count("chunks", filter=Q(chunks__status=Chunk.Status.DONE))
        builds: QuerySet[Build] = super().get_queryset(request)
        return builds.annotate(chunks_all=Count("chunks"), chunks_done=done)

    @admin.display(description="Chunks")
    def progress(self, build: Any) -> str:
        """Done of all."""
        return f"{build.chunks_done} / {build.chunks_all}"

    @admin.display(description="Fold", empty_value="-")
    def fold(self, build: Build) -> str:
        """The kind of the validation fold that chose the weights of its lists."""
        return fold_kind(build.artefact.chosen) if build.artefact else ""

    @admin.display(description="Weights chosen by", empty_value="-")
    def chosen_by(self, build: Build) -> str:
        """That fold in words, and why it was this one; empty before the training has ended."""
        return describe_fold(build.artefact.chosen) if build.artefact else ""


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyTenantAdmin):
    """The work of a build, and what became of it."""

    list_display = ["build", "tenant", "number", "status", "attempts", "lists", "outcomes", "done_at"]
    list_filter = ["status"]


@admin.register(FreshItem)
class FreshItemAdmin(ReadOnlyTenantAdmin):
    """Items that came or changed after the training, and when lists had them."""

    exclude = ["terms", "near"]
    list_display = ["item_id", "tenant", "build", "place", "shown", "waiting", "people", "seen_at", "listed_at"]
    list_filter = ["waiting", "shown"]
    search_fields = ["item_id__startswith"]


class StoredListAdmin(ReadOnlyTenantAdmin):
    """Shows the stored bytes as the list that they are."""

    exclude = ["body"]
    readonly_fields = ["contents"]

    @admin.display(description="Items")
    def contents(self, row: Any) -> str:
        """The entries, one a line."""
        try:
            entries = decode(bytes(row.body)).entries()
        except Corrupt as error:
            return f"unreadable: {error}"
        return format_html("<pre>{}</pre>", "\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries))


@admin.register(UserList)
class UserListAdmin(StoredListAdmin):
    """People's lists."""

    personal = True
    list_display = ["end_user", "tenant", "placement", "build", "version", "source", "generated_at"]
    list_filter = ["source"]
    search_fields = ["end_user__user_id__exact"]


@admin.register(ReferenceList)
class ReferenceListAdmin(StoredListAdmin):
    """Lists that belong to no person."""

    list_display = ["kind", "subject", "tenant", "build", "generated_at"]
    list_filter = ["kind"]
    search_fields = ["subject__startswith"]


@admin.register(RelatedPeople)
class RelatedPeopleAdmin(ReadOnlyTenantAdmin):
    """Similar users, as primary keys; the user's page has the names."""

    personal = True
    list_display = ["end_user", "tenant", "how_many", "generated_at"]
    search_fields = ["end_user__user_id__exact"]

    @admin.display(description="similar users")
    def how_many(self, row: RelatedPeople) -> int:
        """The number of similar users."""
        return len(row.people)
