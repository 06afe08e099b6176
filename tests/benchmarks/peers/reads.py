"""The hot read as a team would write it by hand: FastAPI and redis-py, one purpose, and every check that Docent makes.

RS256 token (remembered once verified), revocation, the tenant's rate limit and monthly quota, and the stored answer in
one script; RateLimit headers, ETag and 304, Cache-Control and Vary, CORS, security headers, request id, one histogram
over several processes. Answers are stored ready: 18 bytes of ETag, then the body.

    PEER_REDIS_URL=... PEER_PUBLIC_KEY=... PROMETHEUS_MULTIPROC_DIR=... \\
        python -m uvicorn tests.benchmarks.peers.reads:app --workers 2
"""

import os
import secrets
import time
from itertools import count
from typing import Annotated, Any

import jwt
import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from prometheus_client import Histogram
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

AUDIENCE, ISSUER = "reads", "reads-peer"
ETAG_BYTES = 18
_RATE, _WINDOW_SECONDS, _QUOTA, _MONTH_SECONDS = 600_000_000, 60, 10**12, 31 * 86_400
_KNOWN_TOKENS = 10_000
_SCRIPT = """
local revoked = redis.call('MGET', KEYS[3], KEYS[4])
if revoked[1] or revoked[2] then return {3, 0, 0} end
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now) + interval * cost
if tat - now > burst * interval then return {1, 0, math.ceil((tat - now) / 1000000)} end
local used = redis.call('INCRBY', KEYS[2], cost)
if used == cost then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
if used > tonumber(ARGV[4]) then
  redis.call('DECRBY', KEYS[2], cost)
  return {2, 0, 0}
end
redis.call('SET', KEYS[1], string.format('%.3f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
local reply = {0, math.floor(burst - (tat - now) / interval), math.ceil((tat - now) / 1000000)}
for index = 5, #KEYS do reply[index - 1] = redis.call('GET', KEYS[index]) end
return reply
"""
_SECURITY = [
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_SECONDS = Histogram(
    "peer_request_seconds",
    "Time to answer a request.",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
_public_key = os.environ["PEER_PUBLIC_KEY"]
_client = redis.asyncio.Redis.from_url(os.environ["PEER_REDIS_URL"], max_connections=64)
_script = _client.register_script(_SCRIPT)
_verified: dict[str, dict[str, Any]] = {}


class Edge:
    """Request id, security headers and the histogram, around everything else."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._prefix, self._numbers = secrets.token_hex(6), count(1)
        self._children: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        sent = [value for name, value in scope["headers"] if name == b"x-request-id"]
        request_id = sent[0] if sent else f"{self._prefix}{next(self._numbers):08x}".encode()

        async def with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *_SECURITY]
            await send(message)

        await self._app(scope, receive, with_headers)
        route = scope.get("route")
        key = (route.path if route else "unmatched", scope["method"], status)
        if key not in self._children:
            self._children[key] = _SECONDS.labels(key[0], key[1], str(status))
        self._children[key].observe(time.perf_counter() - started)


app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["https://app.example.com"])
app.add_middleware(Edge)


async def verified(request: Request) -> dict[str, Any]:
    """The claims of the request's token.

    Raises: HTTPException.
    """
    scheme, _, raw = request.headers.get("authorization", "").partition(" ")
    claims = _verified.get(raw)
    if claims is None or claims["exp"] <= time.time():
        try:
            if scheme.lower() != "bearer":
                raise jwt.InvalidTokenError
            claims = jwt.decode(raw, _public_key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
        except jwt.PyJWTError as error:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error
        if len(_verified) >= _KNOWN_TOKENS:
            _verified.clear()
        _verified[raw] = claims
    if "recommendations:read" not in claims["scope"]:
        raise HTTPException(403)
    return claims


Claims = Annotated[dict[str, Any], Depends(verified)]


def key_of(tenant: str, user_id: str) -> str:
    """The key of a stored answer."""
    return f"{{peer:{tenant}}}:list:{user_id}"


async def _admit(claims: dict[str, Any], user_ids: list[str]) -> tuple[dict[str, str], list[bytes | None]]:
    tag = f"{{peer:{claims['tenant']}}}"
    names = [f"{tag}:rate", f"{tag}:quota", f"{tag}:revoked:{claims['jti']}", f"{tag}:revoked:{claims['sub']}"]
    interval = _WINDOW_SECONDS * 1e6 / _RATE
    verdict, left, reset, *found = await _script(
        keys=[*names, *(key_of(claims["tenant"], user_id) for user_id in user_ids)],
        args=[interval, _RATE, len(user_ids), _QUOTA, _MONTH_SECONDS],
    )
    headers = {
        "RateLimit": f'"read";r={left};t={reset}',
        "RateLimit-Policy": f'"read";q={_RATE};w={_WINDOW_SECONDS}',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Origin",
    }
    if verdict == 3:
        raise HTTPException(401)
    if verdict:
        raise HTTPException(429, headers={**headers, "Retry-After": str(max(1, reset))})
    return headers, found


@app.get("/v1/users/{user_id}/recommendations")
async def one(user_id: str, request: Request, claims: Claims) -> Response:
    """One user's list."""
    headers, (stored,) = await _admit(claims, [user_id])
    if stored is None:
        raise HTTPException(404)
    headers["ETag"] = stored[:ETAG_BYTES].decode()
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(stored[ETAG_BYTES:], media_type="application/json", headers=headers)


class Batch(BaseModel):
    """The users whose lists are asked for."""

    user_ids: list[str]


@app.post("/v1/recommendations/batch")
async def many(batch: Batch, claims: Claims) -> Response:
    """The lists of many users."""
    headers, found = await _admit(claims, batch.user_ids)
    body = b",".join([stored[ETAG_BYTES:] if stored else b"null" for stored in found])
    return Response(b'{"data":[' + body + b"]}", media_type="application/json", headers=headers)
