"""Examples of imports on the wire, which the tests hold against real answers."""

from drf_spectacular.utils import OpenApiExample

from recommendations.api.v1.serializers.import_requests import BYTES
from recommendations.imports.models import Import

SHOWN = {
    "import_id": "12",
    "kind": "events",
    "format": "csv",
    "filename": "history.csv.gz",
    "dry_run": False,
    "status": "running",
    "progress": 0.4215,
    "size_bytes": 734003200,
    "mapping": {
        "map": ["sku=item_id"],
        "default": ["type=purchase"],
        "timezone": "Europe/Berlin",
        "time_unit": None,
        "extra": None,
        "preset": None,
    },
    "rows": {"created": 1250000, "updated": 0, "unchanged": 0, "duplicate": 3, "rejected": 2},
    "summary": {
        "skipped": 0,
        "occurred_from": "2024-11-23T08:30:00+00:00",
        "occurred_to": "2026-11-22T22:14:07+00:00",
        "untimed": 0,
        "types": {"purchase": 1250003},
        "types_without_weight": {},
        "low_ratings": None,
        "emptied": {},
        "left_out": {},
    },
    "rejections": [
        {
            "field": "user_id",
            "code": "required",
            "detail": "This field is required.",
            "count": 2,
            "lines": [3, 1204],
        }
    ],
    "error": None,
    "created_at": "2026-11-23T08:30:00.250000Z",
    "started_at": "2026-11-23T08:30:01.100000Z",
    "finished_at": None,
}
WAITING = {
    **SHOWN,
    "status": "waiting",
    "progress": 0.0,
    "rows": dict.fromkeys(Import.COUNTS, 0),
    "summary": {
        "skipped": 0,
        "occurred_from": None,
        "occurred_to": None,
        "untimed": 0,
        "types": {},
        "types_without_weight": {},
        "low_ratings": None,
        "emptied": {},
        "left_out": {},
    },
    "rejections": [],
    "started_at": None,
}
FILE_EXAMPLE = OpenApiExample(
    "Two items, with `kind=items` and `format=csv`",
    value="item_id,title\n1198,Raiders of the Lost Ark\n260,Star Wars\n",
    media_type=BYTES,
    request_only=True,
)
ACCEPTED_EXAMPLE = OpenApiExample("Accepted", value=WAITING, response_only=True, status_codes=["202"])
SHOWN_EXAMPLE = OpenApiExample("Under way", value=SHOWN, response_only=True, status_codes=["200"])
CANCELLED_EXAMPLE = OpenApiExample(
    "Cancelled",
    value={**SHOWN, "status": "cancelled", "finished_at": "2026-11-23T08:34:10Z"},
    response_only=True,
    status_codes=["200"],
)
ERRORS_EXAMPLE = OpenApiExample(
    "Two of them",
    value={
        "data": [
            {"line": 3, "field": "item_id", "code": "bad_character", "detail": "Character 2 of the id is a blank."},
            {"line": 17, "field": "", "code": "bad_csv", "detail": "4 cells where the header names 5 columns."},
        ],
        "next": None,
    },
    response_only=True,
)
