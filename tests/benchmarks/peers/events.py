"""The peer of ingest: FastAPI and psycopg, one transaction for a request, as a good engineer writes it by hand.

    PEER_DATABASE_URL=postgresql://... PEER_REDIS_URL=... uvicorn tests.benchmarks.peers.events:app --workers 2

For each write: rate limit and revocation in one Redis script, the claim of the key, ids resolved, the event stored
once, the user marked for a rescore, the answer stored with the key. A 2xx means committed. A batch is one INSERT from
arrays.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import redis.asyncio as redis
from fastapi import FastAPI, HTTPException, Request, Response
from psycopg_pool import AsyncConnectionPool

SCHEMA = """
CREATE TABLE peer_person (id bigserial PRIMARY KEY, name text UNIQUE, dirty_at timestamptz, last_event_at timestamptz);
CREATE TABLE peer_thing (id bigserial PRIMARY KEY, name text UNIQUE);
CREATE TABLE peer_key (key text PRIMARY KEY, fingerprint bytea, body bytea, expires_at timestamptz);
CREATE TABLE peer_act (id bigserial PRIMARY KEY, occurred_at timestamptz, received_at timestamptz, tenant_id bigint,
    user_id bigint, item_id bigint, digest uuid, type_id int, value float8, event_id text, context jsonb,
    UNIQUE (tenant_id, digest));
CREATE INDEX peer_act_history ON peer_act (user_id, occurred_at, id);
CREATE INDEX peer_act_time ON peer_act (tenant_id, occurred_at, id);
"""
_LIMIT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], 60) end
return {n, redis.call('INCR', KEYS[2]), redis.call('EXISTS', KEYS[3])}
"""
_INSERT = """
WITH given AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::float8[], %s::timestamptz[])
        AS t (u, i, digest, event_id, value, at)
), users AS (
    INSERT INTO peer_person (name, dirty_at, last_event_at) SELECT DISTINCT u, now(), now() FROM given ORDER BY u
    ON CONFLICT (name) DO UPDATE SET dirty_at = coalesce(peer_person.dirty_at, now()), last_event_at = now()
    RETURNING id, name
), items AS (
    INSERT INTO peer_thing (name) SELECT DISTINCT i FROM given
    WHERE NOT EXISTS (SELECT 1 FROM peer_thing p WHERE p.name = i) ORDER BY i
    ON CONFLICT DO NOTHING RETURNING id, name
), known AS (SELECT id, name FROM items UNION ALL SELECT p.id, p.name FROM peer_thing p WHERE p.name = ANY (%s))
INSERT INTO peer_act (occurred_at, received_at, tenant_id, user_id, item_id, digest, type_id, value, event_id)
SELECT coalesce(g.at, now()), now(), 1, users.id, known.id, g.digest, 1, g.value, g.event_id
FROM given g JOIN users ON users.name = g.u JOIN known ON known.name = g.i ORDER BY g.digest
ON CONFLICT (tenant_id, digest) DO NOTHING RETURNING digest
"""
_MAX_BODY = 65_536


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """An event as it is sent."""

    user_id: str
    item_id: str
    type: str
    event_id: str | None = None
    value: float | None = None
    occurred_at: str | None = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Many events."""

    events: list[Event]


_one, _many = msgspec.json.Decoder(Event), msgspec.json.Decoder(Batch)
_redis = redis.Redis.from_url(os.environ.get("PEER_REDIS_URL", "redis://127.0.0.1:1"))
_limit = _redis.register_script(_LIMIT)


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["PEER_DATABASE_URL"]
    async with AsyncConnectionPool(url, min_size=4, max_size=8, kwargs={"autocommit": True}) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_life)


def _digest(event: Event) -> str:
    moment = event.occurred_at or os.urandom(8).hex()
    parts = (event.event_id or "", event.user_id, event.item_id, event.type, moment)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


async def _store(request: Request, events: list[Event], raw: bytes) -> Response:
    made, _, revoked = await _limit(keys=["{t1}:limit", "{t1}:quota", "{t1}:revoked"])
    if revoked or made > 10**9:
        raise HTTPException(429)
    key, fingerprint = request.headers.get("idempotency-key"), hashlib.sha256(raw).digest()
    digests = [_digest(event) for event in events]
    async with app.state.pool.connection() as connection, connection.transaction():
        if key and (stored := await _claim(connection, key, fingerprint)) is not None:
            return Response(stored, media_type="application/json", headers={"Idempotent-Replayed": "true"})
        columns = [[getattr(event, name) for event in events] for name in ("user_id", "item_id")]
        rest = [[getattr(event, name) for event in events] for name in ("event_id", "value", "occurred_at")]
        cursor = await connection.execute(_INSERT, (*columns, digests, *rest, columns[1]))
        new = {row[0].hex for row in await cursor.fetchall()}
        results = [
            {"index": place, "id": event.event_id, "status": "created" if digest in new else "duplicate"}
            for place, (event, digest) in enumerate(zip(events, digests, strict=True))
        ]
        body = msgspec.json.encode({"results": results})
        if key:
            kept = body if len(body) < _MAX_BODY else b"{}"
            await connection.execute("UPDATE peer_key SET body = %s WHERE key = %s", (kept, key))
    return Response(body, media_type="application/json")


async def _claim(connection: Any, key: str, fingerprint: bytes) -> bytes | None:
    cursor = await connection.execute(
        "INSERT INTO peer_key VALUES (%s, %s, NULL, now() + interval '24 hours') ON CONFLICT DO NOTHING RETURNING 1",
        (key, fingerprint),
    )
    if await cursor.fetchone() is not None:
        return None
    cursor = await connection.execute("SELECT fingerprint, body FROM peer_key WHERE key = %s", (key,))
    held, body = await cursor.fetchone()
    if bytes(held) != fingerprint:
        raise HTTPException(422)
    return bytes(body)


@app.post("/v1/events")
async def one(request: Request) -> Response:
    """Stores one event."""
    raw = await request.body()
    return await _store(request, [_one.decode(raw)], raw)


@app.post("/v1/events/batch")
async def many(request: Request) -> Response:
    """Stores many events."""
    raw = await request.body()
    return await _store(request, _many.decode(raw).events, raw)
