"""Imports on the wire: what may be asked for, and how an import and its refused rows look."""

from collections.abc import Mapping
from typing import Any

from django.utils.http import parse_header_parameters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import exceptions, serializers

from core.http import pagination
from core.http.serializers import Problem
from core.quoting import quoted
from recommendations.api.v1 import fields as wire
from recommendations.api.v1.base import stamp
from recommendations.catalog import validators
from recommendations.imports import mapping, option_parsing, read_options, rejections, summary
from recommendations.imports.lifecycle import Wanted
from recommendations.imports.mapping import Meaning
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.presets import PRESETS
from recommendations.imports.rejections import Rejection

FORMATS = {
    "text/csv": Import.Format.CSV,
    "application/csv": Import.Format.CSV,
    "application/x-ndjson": Import.Format.NDJSON,
    "application/ndjson": Import.Format.NDJSON,
    "application/jsonl": Import.Format.NDJSON,
    "application/json": Import.Format.JSON,
    "text/tab-separated-values": Import.Format.CSV,
    # What senders say who do not know: the content does. Windows calls every CSV a sheet of Excel's.
    "text/plain": None,
    "application/vnd.ms-excel": None,
    "application/gzip": None,
    "application/x-gzip": None,
    "application/octet-stream": None,
    "": None,
}
# Of any file; its content says of which form it is.
BYTES = "application/octet-stream"
_BOOLEANS = {"true": True, "false": False}
KINDS = [kind.value for kind in Import.Kind]
FORMAT_NAMES = [form.value for form in Import.Format]
STATUSES = [status.value for status in Import.Status]
_read_filename = validators.text(255)
# One form in the document, since generators cannot choose between several. Those of FORMATS are taken as well.
REQUEST = {BYTES: {"type": "string", "format": "binary", "minLength": 1}}
PARAMETERS = [
    OpenApiParameter("kind", {"type": "string", "enum": KINDS}, required=True, description="What the rows are."),
    OpenApiParameter(
        "dry_run", {"type": "boolean", "default": False}, description="Check everything and keep nothing."
    ),
    OpenApiParameter(
        "format",
        {"type": "string", "enum": FORMAT_NAMES},
        description="What the file is said to be. What it is, its content tells: CSV, NDJSON or a JSON array.",
    ),
    OpenApiParameter(
        "map",
        {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=[^=]+$", "maxLength": mapping.MAX_PAIR}},
        description="COLUMN=FIELD, such as `id=item_id` or `price=attributes.price`. Repeat it for each column.",
    ),
    OpenApiParameter(
        "default",
        {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=.+$", "maxLength": mapping.MAX_PAIR}},
        description="FIELD=VALUE, such as `type=purchase`: for rows that say nothing of the field. Repeat it.",
    ),
    OpenApiParameter(
        "timezone",
        {"type": "string", "maxLength": 64, "example": "Europe/Berlin"},
        description="Of times without a UTC offset, by its name in the IANA database.",
    ),
    OpenApiParameter(
        "time_unit", {"type": "string", "enum": list(mapping.UNITS)}, description="Of times that are numbers: seconds."
    ),
    OpenApiParameter(
        "extra",
        {"type": "string", "enum": list(mapping.EXTRA)},
        description="What becomes of columns that are no field: attributes (of events, context), ignored, or refused.",
    ),
    OpenApiParameter(
        "preset",
        {"type": "string", "enum": list(PRESETS)},
        description="How another system's files are read (docs/importing.md).",
    ),
    OpenApiParameter(
        "delimiter",
        {"type": "string", "minLength": 1, "maxLength": 9},
        description="Between a table's cells: itself, or tab, comma, semicolon, pipe, space; it need not be said.",
    ),
    OpenApiParameter(
        "columns",
        {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}},
        description="The columns of a table without a header, in their order. Repeat it for each.",
    ),
    OpenApiParameter(
        "encoding",
        {"type": "string", "maxLength": 40, "example": "windows-1252"},
        description="Of the text. UTF-8 and UTF-16 are recognised.",
    ),
    OpenApiParameter(
        "quote",
        {"type": "string", "minLength": 1, "maxLength": 4},
        description='Around cells: `"` if it is not said; `none` where quotation marks mean nothing.',
    ),
    OpenApiParameter(
        "escape",
        {"type": "string", "minLength": 1, "maxLength": 4},
        description="In front of a quotation mark within a cell, such as a backslash; else marks are doubled.",
    ),
    OpenApiParameter("filename", {"type": "string", "maxLength": 255}, description="For you to know it by."),
    OpenApiParameter(
        "Content-Encoding",
        {"type": "string", "enum": ["gzip", "identity"]},
        OpenApiParameter.HEADER,
        description="Need not be said: gzip is recognised.",
    ),
]
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


@extend_schema_field(wire.words_known_today(FORMAT_NAMES, "What the file is."))
class ImportedFormat(serializers.CharField):
    """A file's form in an answer: more will be read one day."""


class ImportCounts(serializers.Serializer[Any]):
    """Rows so far, by what became of them."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()


class ImportLowRatings(serializers.Serializer[Any]):
    """Ratings below `below`. They count as positive like all others, unless `count_against` says otherwise."""

    ratings = serializers.IntegerField()
    low = serializers.IntegerField()
    below = serializers.FloatField()
    count_against = serializers.BooleanField(help_text="Whether they speak against their items (negative_below)")


class ImportSummary(serializers.Serializer[Any]):
    """What the file held so far."""

    skipped = serializers.IntegerField(help_text="Rows about nothing that is stored, as the preset says")
    occurred_from = serializers.DateTimeField(allow_null=True, help_text="The earliest of its events")
    occurred_to = serializers.DateTimeField(allow_null=True, help_text="The latest of its events")
    untimed = serializers.IntegerField(help_text="Its events without a time: they count as of the import's moment")
    types = serializers.DictField(child=serializers.IntegerField(), help_text="Its events by type")
    types_without_weight = serializers.DictField(
        child=serializers.IntegerField(), help_text="Those that nobody has given a weight: they count as a view does"
    )
    low_ratings = ImportLowRatings(allow_null=True, help_text="How low ratings count; null where it has no ratings")
    emptied = serializers.DictField(
        child=serializers.IntegerField(), help_text="Fields that held something and hold nothing now, by name"
    )
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Attributes that were left out of rows that were kept, with the reason",
    )


class ImportMapping(serializers.Serializer[Any]):
    """What was said of its columns."""

    map = serializers.ListField(child=serializers.CharField())
    default = serializers.ListField(child=serializers.CharField())  # the contract names it
    timezone = serializers.CharField(allow_null=True)
    time_unit = serializers.CharField(allow_null=True)
    extra = serializers.CharField(allow_null=True)
    preset = serializers.CharField(allow_null=True)


class ImportRejection(serializers.Serializer[Any]):
    """A fault that rows were refused for, and the first lines that have it."""

    field = serializers.CharField(help_text="Empty: the row as a whole")
    code = serializers.CharField()
    detail = serializers.CharField(help_text="Of the first such row")
    count = serializers.IntegerField(help_text="Of the refusals that are kept, the first 10,000")
    lines = serializers.ListField(child=serializers.IntegerField())


@extend_schema_serializer(component_name="ImportJob")
class ImportAnswer(serializers.Serializer[Any]):
    """An import and how far it is."""

    import_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    format = ImportedFormat()
    filename = serializers.CharField()
    dry_run = serializers.BooleanField()
    status = serializers.ChoiceField(choices=STATUSES)
    progress = serializers.FloatField(help_text="Share of the file that was taken in, 0 to 1")
    size_bytes = serializers.IntegerField()
    mapping = ImportMapping()
    rows = ImportCounts()
    summary = ImportSummary()
    rejections = ImportRejection(many=True, help_text="The ten most frequent faults")
    error = serializers.CharField(allow_null=True, help_text="Why it failed")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="ImportRowError")
class ImportRowErrorAnswer(serializers.Serializer[Any]):
    """A refused row: the line at which it begins, and what was wrong with it."""

    line = serializers.IntegerField()
    field = serializers.CharField(help_text="Empty: the row as a whole")
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportErrorPage(serializers.Serializer[Any]):
    """A page of refusals, in the order of their lines; the first 10,000 are kept."""

    data = ImportRowErrorAnswer(many=True)  # type: ignore[assignment]  # the contract names it
    next = serializers.CharField(allow_null=True)


_READING = ("delimiter", "encoding", "quote", "escape")
_MEANING = ("timezone", "time_unit", "extra", "preset")
_KNOWN = ("kind", "dry_run", "format", "filename", "map", "default", "columns", *_MEANING, *_READING)
_REPEATED = frozenset({"map", "default", "columns"})


def read_wanted(query: Any) -> Wanted:
    """What the query asks for.

    Raises: InvalidInput.
    """
    for name in query:
        if name not in _KNOWN:
            raise pagination.invalid(f"/{name}", "unknown_parameter", f"Unknown; known are {', '.join(_KNOWN)}.")
        if len(query.getlist(name)) > 1 and name not in _REPEATED:
            raise pagination.invalid(f"/{name}", "repeated", "Give this parameter once.")
    if "kind" not in query:
        raise pagination.invalid("/kind", "required", f"Say what the rows are: {', '.join(KINDS)}.")
    if query["kind"] not in KINDS:
        raise pagination.invalid("/kind", "unknown_kind", f"Must be one of {', '.join(KINDS)}.")
    if query.get("dry_run", "false") not in _BOOLEANS:
        raise pagination.invalid("/dry_run", "not_a_boolean", "Must be true or false.")
    kind = Import.Kind(query["kind"])
    try:
        return Wanted(
            kind=kind,
            filename=_read_filename(query.get("filename", ""), "/filename"),
            dry_run=_BOOLEANS[query.get("dry_run", "false")],
            meaning=mapping.read(
                kind=kind,
                columns=query.getlist("map"),
                defaults=query.getlist("default"),
                **{name: query.get(name) for name in _MEANING},
            ),
            reading=option_parsing.read(
                columns=query.getlist("columns"), **{name: query.get(name) for name in _READING}
            ),
        )
    except validators.FieldRefused as refused:
        error = refused.errors[0]
        raise pagination.invalid(error.pointer, error.code, error.detail) from refused


def read_media_type(said: str | None, query: Any) -> tuple[Import.Format | None, str | None]:
    """The file's form and encoding by its media type and the query's `format`; None where the content has to say it.

    Raises: InvalidInput, UnsupportedMediaType.
    """
    media_type, parameters = parse_header_parameters(said or "")
    if media_type not in FORMATS:
        known = ", ".join(sorted(name for name in FORMATS if name))
        detail = f"The body is of the media type '{quoted(media_type)}'; send the file itself as one of {known}."
        raise exceptions.UnsupportedMediaType(media_type, detail)
    form, wanted = FORMATS[media_type], query.get("format")
    forms = [known.value for known in Import.Format]
    if wanted is not None and wanted not in forms:
        raise pagination.invalid("/format", "unknown_format", f"Must be one of {', '.join(forms)}.")
    if form is not None and wanted not in (None, form):
        raise pagination.invalid("/format", "other_format", f"The body's media type {media_type} says {form}.")
    if wanted is not None:
        form = Import.Format(wanted)
    charset = parameters.get("charset", "")
    try:
        return form, (read_options.encoding(str(charset)) if charset else None)
    except validators.FieldRefused:
        detail = f"The charset '{quoted(charset)}' is not read. Send UTF-8, or say utf-16, windows-1252 or iso-8859-1."
        raise exceptions.UnsupportedMediaType(media_type, detail) from None


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
        "mapping": _mapping(Meaning.of_json(job.mapping)),
        "rows": {name: getattr(job, name) for name in Import.COUNTS},
        "summary": _summary(job.summary, job.skipped),
        "rejections": [_rejection_body(group) for group in rejections.of(job)],
        "error": job.error if job.status == Import.Status.FAILED else None,
        "created_at": stamp(job.created_at),
        "started_at": stamp(job.started_at),
        "finished_at": stamp(job.finished_at),
    }


def _mapping(meaning: Meaning) -> dict[str, Any]:
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
    """A refusal as the API shows it."""
    return {"line": error.line, "field": error.field, "code": error.code, "detail": error.detail}
