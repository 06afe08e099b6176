"""Looks for a text in everything that the service keeps: every table, every key of Redis, every stored file."""

import gzip
import io
import zipfile
import zlib

import psycopg
from psycopg import sql

from core import redis
from recommendations.cache.list_codec import Corrupt, decode
from tests.database import owner_url, storage_folder

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def places(text: str) -> list[str]:
    """Lists every place that holds the text, as readers understand it."""
    return [*tables(text), *keys(text), *files(text)]


def tables(text: str) -> list[str]:
    """Columns of any type whose text holds it; of bytes also what they unpack to. The owner sees all rows."""
    found = []
    with psycopg.connect(owner_url(), options="-c docent.scope=all") as owner:
        names = [row[0] for row in owner.execute(_TABLES).fetchall()]
        assert len(names) > 20
        for table in names:
            for column, kind in owner.execute(_COLUMNS, [table]).fetchall():
                select = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL").format(
                    sql.Identifier(column) if kind == "bytea" else sql.SQL("{}::text").format(sql.Identifier(column)),
                    sql.Identifier(table),
                    sql.Identifier(column),
                )
                if any(_holds(value, text) for (value,) in owner.execute(select)):
                    found.append(f"table {table}.{column}")
    return found


def keys(text: str) -> list[str]:
    """Keys whose name or value holds it."""
    client = redis.client()
    found = []
    for key in client.scan_iter(count=1000):
        kind = client.type(key).decode()
        read = {
            "none": lambda key: [],  # it has run out meanwhile
            "string": lambda key: [client.get(key) or b""],
            "hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
            "list": lambda key: client.lrange(key, 0, -1),
            "set": client.smembers,
            "zset": lambda key: client.zrange(key, 0, -1),
            "stream": lambda key: [part for _, entry in client.xrange(key) for pair in entry.items() for part in pair],
        }
        if any(_holds(value, text) for value in [key, *read[kind](key)]):
            found.append(f"key {key!r}")
    return found


def files(text: str) -> list[str]:
    """Files of the storage whose name or content, unpacked, holds it."""
    root = storage_folder()
    return [
        f"file {path.relative_to(root)}"
        for path in sorted(root.rglob("*"))
        if path.is_file() and (text in path.name or _holds(path.read_bytes(), text))
    ]


def _holds(value: object, text: str) -> bool:
    if isinstance(value, str):
        return text in value
    assert isinstance(value, (bytes, memoryview)), value
    return any(text.encode() in form for form in _unpacked(bytes(value)))


def _unpacked(raw: bytes) -> list[bytes]:
    forms = [raw]
    if raw[:2] == b"\x1f\x8b":
        forms.append(gzip.decompress(raw))
    elif raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                # numpy keeps text as UTF-32.
                forms += [name.encode(), member, member.replace(b"\0\0\0", b"")]
    try:
        stored = decode(raw)
        forms += [zlib.decompress(stored.tail)] if stored.tail else []
    except Corrupt:
        pass
    return forms
