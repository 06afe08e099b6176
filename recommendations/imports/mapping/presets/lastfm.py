"""Last.fm: the data sets 1K and 360K (tabs, no header) and HetRec 2011 (tabs). Artists are the items.

Artists without a MusicBrainz id are identified by name. Files without times get the year of their collection, so that
importing a file twice changes nothing.
"""

from typing import Any

from recommendations.imports.mapping.presets.base import FilePreset, Preset, Raw, first

_ARTIST = ("artist_mbid", "artist")


def _artist(raw: Raw) -> Any:
    value = first(raw, _ARTIST)
    return value.strip()[:128].strip() if isinstance(value, str) else value


def _plays(*, at: str, columns: tuple[str, ...], user: str, item: Any, value: str) -> FilePreset:
    return FilePreset(
        fields={"user_id": user, "item_id": item, "value": value},
        defaults={"type": "consume", "occurred_at": at},
        extra="ignore",
        delimiter="\t",
        quote="",
        columns=columns,
    )


PRESETS = (
    Preset(
        "lastfm-1k",
        "Last.fm 1K: userid-timestamp-artid-artname-traid-traname.tsv",
        {
            "events": FilePreset(
                fields={"user_id": "user", "item_id": _artist, "occurred_at": "timestamp", "context.track": "track"},
                defaults={"type": "consume"},
                extra="ignore",
                zone="UTC",
                delimiter="\t",
                quote="",
                columns=("user", "timestamp", "artist_mbid", "artist", "track_mbid", "track"),
            ),
        },
    ),
    Preset(
        "lastfm-360k",
        "Last.fm 360K: usersha1-artmbid-artname-plays.tsv",
        {
            "events": _plays(
                at="2008-11-01T00:00:00Z",
                columns=("user", "artist_mbid", "artist", "plays"),
                user="user",
                item=_artist,
                value="plays",
            ),
        },
    ),
    Preset(
        "lastfm-hetrec",
        "Last.fm HetRec 2011: user_artists.dat, artists.dat",
        {
            "events": _plays(at="2011-05-01T00:00:00Z", columns=(), user="userID", item="artistID", value="weight"),
            "items": FilePreset(
                fields={"item_id": "id", "title": "name"},
                unused=frozenset({"pictureURL"}),
                delimiter="\t",
                quote="",
            ),
        },
    ),
)
