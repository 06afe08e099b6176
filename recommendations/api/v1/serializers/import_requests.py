"""Import requests: parameters, and their checked values."""

from typing import Any

from django.utils.http import parse_header_parameters
from drf_spectacular.utils import (
    OpenApiParameter,
)
from rest_framework import exceptions

from core.http import pagination
from core.quoting import quoted
from recommendations.catalog import validators
from recommendations.imports.formats import read_options
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.mapping import column_mapping
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.models import Import

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
_read_filename = validators.text(255)
# One form in the document, since generators cannot choose between several. Those of FORMATS are taken as well.
REQUEST = {BYTES: {"type": "string", "format": "binary", "minLength": 1}}
PARAMETERS = [
    OpenApiParameter("kind", {"type": "string", "enum": KINDS}, required=True, description="Kind of the rows."),
    OpenApiParameter(
        "dry_run", {"type": "boolean", "default": False}, description="Check everything and store nothing."
    ),
    OpenApiParameter(
        "format",
        {"type": "string", "enum": FORMAT_NAMES},
        description="Declared format. The content decides: CSV, NDJSON or a JSON array.",
    ),
    OpenApiParameter(
        "map",
        {
            "type": "array",
            "items": {"type": "string", "pattern": "^[^=]+=[^=]+$", "maxLength": column_mapping.MAX_PAIR},
        },
        description="COLUMN=FIELD, such as `id=item_id` or `price=attributes.price`. Repeat it for each column.",
    ),
    OpenApiParameter(
        "default",
        {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=.+$", "maxLength": column_mapping.MAX_PAIR}},
        description="FIELD=VALUE, such as `type=purchase`: for rows without the field. Repeatable.",
    ),
    OpenApiParameter(
        "timezone",
        {"type": "string", "maxLength": 64, "example": "Europe/Berlin"},
        description="Zone of times without a UTC offset, by its name in the IANA database.",
    ),
    OpenApiParameter(
        "time_unit",
        {"type": "string", "enum": list(column_mapping.UNITS)},
        description="Unit of numeric times; default: seconds.",
    ),
    OpenApiParameter(
        "extra",
        {"type": "string", "enum": list(column_mapping.EXTRA)},
        description="Treatment of other columns: stored as attributes (of events, context), ignored, or rejected.",
    ),
    OpenApiParameter(
        "preset",
        {"type": "string", "enum": list(PRESETS)},
        description="Mapping for files of another system (docs/importing.md).",
    ),
    OpenApiParameter(
        "delimiter",
        {"type": "string", "minLength": 1, "maxLength": 9},
        description="Between cells: a character, or tab, comma, semicolon, pipe, space; detected by default.",
    ),
    OpenApiParameter(
        "columns",
        {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}},
        description="The columns of a table without a header, in their order. Repeat it for each.",
    ),
    OpenApiParameter(
        "encoding",
        {"type": "string", "maxLength": 40, "example": "windows-1252"},
        description="Encoding of the text. UTF-8 and UTF-16 are recognised.",
    ),
    OpenApiParameter(
        "quote",
        {"type": "string", "minLength": 1, "maxLength": 4},
        description='Around cells; default: `"`; `none` if quotation marks are plain text.',
    ),
    OpenApiParameter(
        "escape",
        {"type": "string", "minLength": 1, "maxLength": 4},
        description="Before a quotation mark in a cell, such as a backslash; default: marks are doubled.",
    ),
    OpenApiParameter("filename", {"type": "string", "maxLength": 255}, description="A name for your reference."),
    OpenApiParameter(
        "Content-Encoding",
        {"type": "string", "enum": ["gzip", "identity"]},
        OpenApiParameter.HEADER,
        description="Optional: gzip is recognised.",
    ),
]
_READING = ("delimiter", "encoding", "quote", "escape")
_MEANING = ("timezone", "time_unit", "extra", "preset")
_KNOWN = ("kind", "dry_run", "format", "filename", "map", "default", "columns", *_MEANING, *_READING)
_REPEATED = frozenset({"map", "default", "columns"})


def read_wanted(query: Any) -> ImportOptions:
    """Parse the query parameters of an upload.

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
        return ImportOptions(
            kind=kind,
            filename=_read_filename(query.get("filename", ""), "/filename"),
            dry_run=_BOOLEANS[query.get("dry_run", "false")],
            meaning=column_mapping.parse_mapping(
                kind=kind,
                columns=query.getlist("map"),
                defaults=query.getlist("default"),
                **{name: query.get(name) for name in _MEANING},
            ),
            reading=read_options.parse_read_options(
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
        return form, (read_options.parse_encoding(str(charset)) if charset else None)
    except validators.FieldRefused:
        detail = f"The charset '{quoted(charset)}' is not read. Send UTF-8, or say utf-16, windows-1252 or iso-8859-1."
        raise exceptions.UnsupportedMediaType(media_type, detail) from None
