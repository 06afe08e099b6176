"""MovieLens: latest and 25M as CSV, 1M and 10M with `::`, 100K with tabs and `|`. The old ones have no header."""

from typing import Any

from recommendations.imports.mapping.presets.base import FilePreset, Preset, Raw

_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_RATING = {"user_id": "userId", "item_id": "movieId", "value": "rating", "occurred_at": "timestamp"}
_MOVIE = {"item_id": "movieId", "title": "title"}


def _flags(raw: Raw) -> Any:
    """The genres whose column is 1."""
    return [genre for genre in _GENRES if raw.get(genre) in ("1", 1)]


def _genres(raw: Raw) -> Any:
    value = raw.get("genres")
    return [] if value == "(no genres listed)" else value


def _ratings(**reading: Any) -> FilePreset:
    return FilePreset(fields=_RATING, defaults={"type": "rating"}, extra="ignore", **reading)


PRESETS = (
    Preset(
        "movielens",
        "MovieLens latest, 20M, 25M, 32M: ratings.csv, movies.csv",
        {
            "events": _ratings(),
            "items": FilePreset(fields={**_MOVIE, "categories": _genres}, unused=frozenset({"genres"})),
        },
    ),
    Preset(
        "movielens-1m",
        "MovieLens 1M, 10M: ratings.dat, movies.dat, users.dat, with ::",
        {
            "events": _ratings(delimiter="::", columns=("userId", "movieId", "rating", "timestamp")),
            "items": FilePreset(
                fields={**_MOVIE, "categories": _genres},
                unused=frozenset({"genres"}),
                delimiter="::",
                quote="",
                columns=("movieId", "title", "genres"),
                encoding="cp1252",
            ),
            "users": FilePreset(
                fields={"user_id": "userId"},
                delimiter="::",
                columns=("userId", "gender", "age", "occupation", "zip"),
            ),
        },
    ),
    Preset(
        "movielens-100k",
        "MovieLens 100K: u.data, u.item, u.user",
        {
            "events": _ratings(delimiter="\t", columns=("userId", "movieId", "rating", "timestamp")),
            "items": FilePreset(
                fields={**_MOVIE, "categories": _flags},
                unused=frozenset({*_GENRES, "video_release_date"}),
                delimiter="|",
                quote="",
                columns=("movieId", "title", "release_date", "video_release_date", "imdb", *_GENRES),
                encoding="cp1252",
            ),
            "users": FilePreset(
                fields={"user_id": "userId"},
                delimiter="|",
                columns=("userId", "age", "gender", "occupation", "zip"),
            ),
        },
    ),
)
