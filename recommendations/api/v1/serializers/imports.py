"""Serializers of imports and their rejected rows."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from core.http.serializers import Problem
from recommendations.api.v1 import fields as wire
from recommendations.api.v1.base import stamp
from recommendations.api.v1.serializers.import_requests import FORMAT_NAMES, KINDS
from recommendations.imports import rejections, summary
from recommendations.imports.mapping.column_mapping import ColumnMapping
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.rejections import Rejection

STATUSES = [status.value for status in Import.Status]
LOCATION = OpenApiParameter("Location", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[202])
TOO_LARGE = {
    (413, "application/problem+json"): OpenApiResponse(Problem, "The file is larger than IMPORT_MAX_BYTES."),
    (415, "application/problem+json"): OpenApiResponse(
        Problem, "The media type, its charset or the Content-Encoding is none that is read."
    ),
    (409, "application/problem+json"): OpenApiResponse(
        Problem, "Ten imports of the tenant wait or run, or its files take IMPORT_STORAGE_MAX_BYTES."
    ),
}


@extend_schema_field(wire.words_known_today(FORMAT_NAMES, "Format of the file."))
class ImportedFormat(serializers.CharField):
    """A file's format in an answer; more may follow."""


class ImportCounts(serializers.Serializer[Any]):
    """Rows so far, by result."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()


class ImportLowRatings(serializers.Serializer[Any]):
    """Ratings below `below`. They count as positive, unless `count_against` is true."""

    ratings = serializers.IntegerField()
    low = serializers.IntegerField()
    below = serializers.FloatField()
    count_against = serializers.BooleanField(help_text="They count against their items (negative_below)")


class ImportSummary(serializers.Serializer[Any]):
    """Summary of the rows read so far."""

    skipped = serializers.IntegerField(help_text="Rows skipped by the preset")
    occurred_from = serializers.DateTimeField(allow_null=True, help_text="Time of the earliest event")
    occurred_to = serializers.DateTimeField(allow_null=True, help_text="Time of the latest event")
    untimed = serializers.IntegerField(help_text="Events without a time, which get the time of the import")
    types = serializers.DictField(child=serializers.IntegerField(), help_text="Events by type")
    types_without_weight = serializers.DictField(
        child=serializers.IntegerField(), help_text="Types without a weight, which count as a view"
    )
    low_ratings = ImportLowRatings(allow_null=True, help_text="Treatment of low ratings; null if there are no ratings")
    emptied = serializers.DictField(child=serializers.IntegerField(), help_text="Cleared fields, by name")
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Attributes omitted from stored rows, with the reason",
    )


class ImportMapping(serializers.Serializer[Any]):
    """The column mapping."""

    map = serializers.ListField(child=serializers.CharField())
    default = serializers.ListField(child=serializers.CharField())  # the contract names it
    timezone = serializers.CharField(allow_null=True)
    time_unit = serializers.CharField(allow_null=True)
    extra = serializers.CharField(allow_null=True)
    preset = serializers.CharField(allow_null=True)


class ImportRejection(serializers.Serializer[Any]):
    """A reason for rejected rows, with the first lines."""

    field = serializers.CharField(help_text="Empty: the row as a whole")
    code = serializers.CharField()
    detail = serializers.CharField(help_text="Of the first such row")
    count = serializers.IntegerField(help_text="Of the stored rejections, the first 10,000")
    lines = serializers.ListField(child=serializers.IntegerField())


@extend_schema_serializer(component_name="ImportJob")
class ImportAnswer(serializers.Serializer[Any]):
    """An import and its progress."""

    import_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    format = ImportedFormat()
    filename = serializers.CharField()
    dry_run = serializers.BooleanField()
    status = serializers.ChoiceField(choices=STATUSES)
    progress = serializers.FloatField(help_text="Processed share of the file, 0 to 1")
    size_bytes = serializers.IntegerField()
    mapping = ImportMapping()
    rows = ImportCounts()
    summary = ImportSummary()
    rejections = ImportRejection(many=True, help_text="The ten most frequent reasons")
    error = serializers.CharField(allow_null=True, help_text="Reason of the failure")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="ImportRowError")
class ImportRowErrorAnswer(serializers.Serializer[Any]):
    """A rejected row: its first line, and the error."""

    line = serializers.IntegerField()
    field = serializers.CharField(help_text="Empty: the row as a whole")
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportErrorPage(serializers.Serializer[Any]):
    """A page of rejected rows by line; the first 10,000 are stored."""

    data = ImportRowErrorAnswer(many=True)  # type: ignore[assignment]  # the contract names it
    next = serializers.CharField(allow_null=True)


def body(job: Import) -> dict[str, Any]:
    """An import as the API shows it. `types_without_weight` are those of its end."""
    done = job.status == Import.Status.DONE
    share = 1.0 if done else (min(1.0, job.read_bytes / job.size_bytes) if job.size_bytes else 0.0)
    return {
        "import_id": str(job.pk),
        "kind": job.kind,
        "format": job.format,
        "filename": job.filename,
        "dry_run": job.dry_run,
        "status": job.status,
        "progress": round(share, 4),
        "size_bytes": job.size_bytes,
        "mapping": _mapping(ColumnMapping.from_json(job.mapping)),
        "rows": {name: getattr(job, name) for name in Import.COUNTS},
        "summary": _summary(job.summary, job.skipped),
        "rejections": [_rejection_body(group) for group in rejections.group_rejections(job)],
        "error": job.error if job.status == Import.Status.FAILED else None,
        "created_at": stamp(job.created_at),
        "started_at": stamp(job.started_at),
        "finished_at": stamp(job.finished_at),
    }


def _mapping(meaning: ColumnMapping) -> dict[str, Any]:
    return {
        "map": [f"{column}={field}" for column, field in meaning.columns],
        "default": [f"{field}={value}" for field, value in meaning.defaults],
        **{name: getattr(meaning, name) for name in ("timezone", "time_unit", "extra", "preset")},
    }


def _summary(told: Mapping[str, Any], skipped: int) -> dict[str, Any]:
    return {
        "skipped": skipped,
        **{name: told.get(name) for name in ("occurred_from", "occurred_to")},
        "untimed": told.get("untimed", 0),
        "low_ratings": ratings.as_json() if (ratings := summary.ratings_of(told)) else None,
        **{name: told.get(name, {}) for name in ("types", "types_without_weight", "emptied", "left_out")},
    }


def _rejection_body(group: Rejection) -> dict[str, Any]:
    return {
        "field": group.field,
        "code": group.code,
        "detail": group.detail,
        "count": group.count,
        "lines": list(group.lines),
    }


def error_body(error: ImportRowError) -> dict[str, Any]:
    """A rejected row as the API shows it."""
    return {"line": error.line, "field": error.field, "code": error.code, "detail": error.detail}
