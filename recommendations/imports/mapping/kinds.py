"""The fields of each kind of file."""

from dataclasses import dataclass

from recommendations.catalog import schemas
from recommendations.catalog.schemas import ObjectSchema
from recommendations.imports.models import Import
from recommendations.interactions import event_schema


@dataclass(frozen=True, slots=True)
class FileKind:
    """The fields of one kind of file. Entries of the object `entries` may have columns, such as `attributes.price`.

    `aliases` maps names that other systems use, in lower case and without punctuation, to the fields they probably
    mean.
    """

    shape: ObjectSchema
    required: tuple[str, ...]
    entries: str
    aliases: dict[str, str]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self.shape.readers)

    def entry(self, name: str) -> str | None:
        """The entry of a dotted name, such as price of `attributes.price`."""
        owner, dot, entry = name.partition(".")
        return entry if dot and entry and owner == self.entries else None

    def is_field(self, name: str) -> bool:
        """True if a column may be mapped to it."""
        return name in self.shape.readers or self.entry(name) is not None


_ITEM_IDS = dict.fromkeys(
    ("sku", "product", "productid", "movieid", "articleid", "asin", "handle", "objectid", "itemid", "contentid"),
    "item_id",
)
_USER_IDS = dict.fromkeys(
    ("user", "userid", "customer", "customerid", "visitorid", "member", "memberid", "accountid", "uid"), "user_id"
)
_ATTRIBUTES = dict.fromkeys(("price", "brand", "colour", "color", "size", "url", "image", "stock"), "")

KINDS = {
    Import.Kind.ITEMS: FileKind(
        schemas.ITEM,
        ("item_id",),
        "attributes",
        {
            **_ITEM_IDS,
            "id": "item_id",
            **dict.fromkeys(("name", "productname", "label"), "title"),
            **dict.fromkeys(("category", "genre", "genres", "tags", "type", "producttype"), "categories"),
            **dict.fromkeys(("text", "body", "summary", "abstract"), "description"),
            **{name: f"attributes.{name}" for name in _ATTRIBUTES},
        },
    ),
    Import.Kind.USERS: FileKind(
        schemas.END_USER,
        ("user_id",),
        "attributes",
        {
            **_USER_IDS,
            "id": "user_id",
            **dict.fromkeys(("segment", "group", "groups", "tags", "labels"), "segments"),
            **dict.fromkeys(("language", "lang"), "locale"),
            **{name: f"attributes.{name}" for name in ("age", "gender", "plan", "country")},
        },
    ),
    Import.Kind.EVENTS: FileKind(
        event_schema.EVENT,
        ("user_id", "item_id", "type"),
        "context",
        {
            **_ITEM_IDS,
            **_USER_IDS,
            **dict.fromkeys(("event", "eventtype", "eventname", "action", "interaction", "kind"), "type"),
            **dict.fromkeys(
                ("timestamp", "time", "date", "datetime", "ts", "eventtime", "createdat", "when"), "occurred_at"
            ),
            **dict.fromkeys(("rating", "score", "price", "amount", "quantity", "revenue", "weight"), "value"),
            **dict.fromkeys(("id", "eventid", "orderid", "transactionid"), "event_id"),
        },
    ),
}
