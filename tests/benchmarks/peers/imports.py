"""The peer of an import of events: COPY of the file into a staging table, then one INSERT.

Each event is stored once, users and items are created, and users with new events are marked once: all in one
transaction. It trusts the file: a bad cell ends it, there is no report of rows and no progress, and a file that stops
in the middle leaves nothing.
"""

from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE peer_user (id bigserial PRIMARY KEY, tenant_id bigint, name text, dirty_at timestamptz,
    last_event_at timestamptz, UNIQUE (tenant_id, name));
CREATE TABLE peer_item (id bigserial PRIMARY KEY, tenant_id bigint, name text, UNIQUE (tenant_id, name));
CREATE TABLE peer_type (id serial PRIMARY KEY, tenant_id bigint, name text, UNIQUE (tenant_id, name));
CREATE TABLE peer_event (id bigserial PRIMARY KEY, occurred_at timestamptz, received_at timestamptz, tenant_id bigint,
    user_id bigint, item_id bigint, digest uuid, type_id int, value float8, event_id text, context jsonb,
    UNIQUE (tenant_id, digest));
CREATE INDEX peer_event_history ON peer_event (user_id, occurred_at, id);
CREATE INDEX peer_event_time ON peer_event (tenant_id, occurred_at, id);
"""
_STAGING = """
CREATE TEMPORARY TABLE staging (user_id text, item_id text, type text, occurred_at timestamptz, value float8)
ON COMMIT DROP
"""
_INSERT = """
WITH users AS (
    INSERT INTO peer_user (tenant_id, name, dirty_at, last_event_at)
    SELECT DISTINCT %(tenant)s, user_id, now(), now() FROM staging
    ON CONFLICT (tenant_id, name) DO UPDATE SET dirty_at = now(), last_event_at = now() RETURNING id, name
), items AS (
    INSERT INTO peer_item (tenant_id, name) SELECT DISTINCT %(tenant)s, item_id FROM staging
    ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id, name
), types AS (
    INSERT INTO peer_type (tenant_id, name) SELECT DISTINCT %(tenant)s, type FROM staging
    ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id, name
)
INSERT INTO peer_event (occurred_at, received_at, tenant_id, user_id, item_id, digest, type_id, value)
SELECT occurred_at, now(), %(tenant)s, users.id, items.id,
    md5(concat_ws(E'\\x1f', user_id, item_id, type, occurred_at::text, value::text))::uuid, types.id, value
FROM staging JOIN users ON users.name = user_id JOIN items ON items.name = item_id JOIN types ON types.name = type
ON CONFLICT (tenant_id, digest) DO NOTHING
"""
_BLOCK = 1 << 18


def load(connection: Any, path: Path, tenant: int) -> int:
    """Imports a CSV file of events into a tenant; returns the number of new ones."""
    with connection.transaction(), connection.cursor() as cursor, path.open("rb") as file:
        cursor.execute(_STAGING)
        with cursor.copy("COPY staging FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
        cursor.execute("ANALYZE staging")
        cursor.execute(_INSERT, {"tenant": tenant})
        return int(cursor.rowcount)
