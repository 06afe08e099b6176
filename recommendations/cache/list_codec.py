"""The stored form of a list: the same bytes in Postgres and in Redis (docs/adr/0005).

    byte 0       format version
    bytes 1-12   build (8) and list version (4), big-endian: comparing bytes compares age
    bytes 13-20  lengths of meta and head (4 + 4)
    meta         JSON: what the answer's envelope needs, the head's item ids, dated items
    head         JSON, ready to send: the first 20 items as an array's inside
    tail         zlib of the same for the rest; only a longer page or a filter opens it

The usual request (20 items, nothing withdrawn) copies the head and never parses an item.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

FORMAT = 1
HEAD = 20
MAX_ITEMS = 100  # of a list, of what a walk may show, and of what one request may ask for
_FIXED = struct.Struct(">BQIII")
ORDER = slice(1, 13)  # build and version
_encoder = msgspec.json.Encoder()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One item of a list. `evidence` are ids of items in the user's history that the reason rests on.

    A struct and no dataclass: a build makes hundreds of thousands. They hold nothing that could refer to them, so the
    garbage collector need not look at them.
    """

    item_id: str
    score: float
    reason: str
    evidence: tuple[str, ...] = ()
    part: str = ""

    def as_dict(self, rank: int) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "item_id": self.item_id,
            "rank": rank,
            "score": self.score,
            "reason": self.reason,
            "evidence": [{"item_id": item_id} for item_id in self.evidence],
        }


class _Named(msgspec.Struct, frozen=True, gc=False):
    """An item that a reason rests on, as the API shows it."""

    item_id: str


class _Item(msgspec.Struct, frozen=True, gc=False):
    """`Entry.as_dict` as a struct, which is made and encoded in a third of the time."""

    item_id: str
    rank: int
    score: float
    reason: str
    evidence: tuple[_Named, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a list, part of every answer. `arm` is the experiment arm or holdout that it belongs to."""

    build: int
    version: int
    source: str
    generated_at: str
    artefact: int | None = None
    degraded: str | None = None
    simulated: bool = False
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """The language and subject of a list's template reasons, so that they can be translated for another reader.

    `language` is empty where they are in no one language. `part` is the part of all reasons if it is not each entry's
    own; `titles` are the titles that all entries with evidence rest on.
    """

    language: str
    part: str = ""
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exploration:
    """New items came into a list at each place with probability `share`, in an order drawn for the person.

    `known` and `new` are how many items there were of either kind, `drawn` the places (from 0) of the head that hold
    new ones, and `further` the known items that follow those of the head, as many as might have stood in it.
    """

    share: float
    known: int
    new: int
    drawn: tuple[int, ...]
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chance:
    """The draws that made a list. Without any, the list was certain.

    `share` is the probability of the person's arm. `told` is False where something was drawn whose probability nobody
    knows, as what later rules made of explored places.
    """

    share: float = 1.0
    exploration: Exploration | None = None
    told: bool = True


CERTAIN = Chance()


class Corrupt(ValueError):
    """The bytes are not a stored list of this version. Treated as a miss."""


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list as read: the head as bytes, the rest on demand. `parts` names what proposed each item, by rank."""

    provenance: Provenance
    owner: str
    head_ids: tuple[str, ...]
    total: int
    until: Mapping[str, float]
    parts: tuple[str, ...]
    head: bytes
    tail: bytes
    reading: Mapping[str, Any] = field(default_factory=dict)
    voice: Voice | None = None
    chance: Chance = CERTAIN

    @property
    def language(self) -> str:
        """The language of its reasons; empty if they are in no one language."""
        return self.voice.language if self.voice is not None else ""

    def typed_entries(self) -> list[Entry]:
        """Return every entry of the list with the part that proposed it, best first."""
        return [
            Entry(each["item_id"], each["score"], each["reason"], tuple(e["item_id"] for e in each["evidence"]), part)
            for each, part in zip(self.entries(), self.parts, strict=True)
        ]

    def entries(self) -> list[dict[str, Any]]:
        """Every item of the list, parsed, best first."""
        items: list[dict[str, Any]] = msgspec.json.decode(b"[" + self.head + b"]")
        if self.tail:
            items += msgspec.json.decode(b"[" + zlib.decompress(self.tail) + b"]")
        return items


def encode(
    *,
    provenance: Provenance,
    owner: str,
    entries: Sequence[Entry],
    until: Mapping[str, float] | None = None,
    reading: Mapping[str, Any] | None = None,
    voice: Voice | None = None,
    chance: Chance = CERTAIN,
) -> bytes:
    """The bytes of a list. `owner` is the person's id, or empty; `until` the unix second at which an item ends.

    `reading` is what depends on the moment of reading: dated pins, rotation, the order of fallbacks. The reasons of a
    list without `voice` are read as they are, whoever reads them. `chance` takes no byte where nothing was drawn.
    """
    items = [
        _Item(entry.item_id, rank, entry.score, entry.reason, tuple([_Named(each) for each in entry.evidence]))
        for rank, entry in enumerate(entries, start=1)
    ]
    head = _inside(items[:HEAD])
    tail = _inside(items[HEAD:])
    listed = {entry.item_id for entry in entries}
    names = sorted({entry.part for entry in entries})
    place_of = {name: place for place, name in enumerate(names)}
    meta = {
        "o": owner,
        "s": provenance.source,
        "g": provenance.generated_at,
        "a": provenance.artefact,
        "d": provenance.degraded,
        "m": provenance.simulated,
        "e": provenance.arm,
        "n": len(entries),
        "i": [entry.item_id for entry in entries[:HEAD]],
        "p": [names, [place_of[entry.part] for entry in entries]],
        **({"r": reading} if reading else {}),
        **({"v": [voice.language, voice.part, voice.titles]} if voice else {}),
        **({} if chance == CERTAIN else {"c": pack_chance(chance)}),
        "u": {item_id: at for item_id, at in (until or {}).items() if item_id in listed},
    }
    meta_bytes = _encoder.encode(meta)
    fixed = _FIXED.pack(FORMAT, provenance.build, provenance.version, len(meta_bytes), len(head))
    return fixed + meta_bytes + head + (zlib.compress(tail, 6) if tail else b"")


def decode(raw: bytes) -> StoredList:
    """The list that `encode` wrote.

    Raises: Corrupt for anything else.
    """
    try:
        version, build, list_version, meta_length, head_length = _FIXED.unpack_from(raw)
        if version != FORMAT:
            raise Corrupt(f"format {version}")
        start = _FIXED.size + meta_length
        meta = msgspec.json.decode(raw[_FIXED.size : start])
        provenance = Provenance(
            build, list_version, meta["s"], meta["g"], meta["a"], meta["d"], meta["m"], meta.get("e", "")
        )
        return StoredList(
            provenance=provenance,
            owner=meta["o"],
            head_ids=tuple(meta["i"]),
            total=meta["n"],
            until=meta["u"],
            parts=tuple(meta["p"][0][index] for index in meta["p"][1]),
            head=raw[start : start + head_length],
            tail=raw[start + head_length :],
            reading=meta.get("r", {}),
            voice=Voice(voice[0], voice[1], tuple(voice[2])) if (voice := meta.get("v")) else None,
            chance=unpack_chance(meta["c"]) if "c" in meta else CERTAIN,
        )
    except (struct.error, KeyError, IndexError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Corrupt(str(error)) from error


def decode_or_none(raw: bytes | memoryview | None) -> StoredList | None:
    """Return the list that `encode` wrote; None for nothing, and for bytes of another version."""
    try:
        return None if raw is None else decode(bytes(raw))
    except Corrupt:
        return None


def pack_chance(chance: Chance) -> list[Any]:
    """Return the JSON form: the share, whether it is known, and the draws of exploration."""
    found: list[Any] = [round(chance.share, 4), int(chance.told)]
    if (drawn := chance.exploration) is not None:
        found += [drawn.share, drawn.known, drawn.new, list(drawn.drawn), list(drawn.further)]
    return found


def unpack_chance(packed: Sequence[Any]) -> Chance:
    """Read what `pack_chance` wrote."""
    share, told, *rest = packed
    explored = Exploration(rest[0], rest[1], rest[2], tuple(rest[3]), tuple(rest[4])) if rest else None
    return Chance(share, explored, bool(told))


def _inside(items: Sequence[_Item]) -> bytes:
    """The JSON array of these items without its brackets."""
    return _encoder.encode(items)[1:-1]
