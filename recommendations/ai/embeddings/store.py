"""Embeddings of texts, computed once per content, under the same guards and budget as every call."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from accounts.tenancy import scope
from core.postgres.batches import delete_in_batches
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.models import AIVector
from recommendations.ai.protocol import CompletionRequest, Message, ProviderError
from recommendations.text_safety.sanitize import clean_text

PURPOSE = "embed"
TEXT_LIMIT = 2000
AT_ONCE = 100
"""Texts per call and rows per statement."""
T = TypeVar("T")
_log = structlog.get_logger(__name__)


def item_text(*, title: str, description: str, categories: Iterable[str], attributes: Mapping[str, str]) -> str:
    """Return the text that represents an item, or an empty string; `attributes` are those that may be sent."""
    facts = [*categories, *(f"{name}: {value}" for name, value in sorted(attributes.items()))]
    parts = (title, "; ".join(facts), description)
    return clean_text(" . ".join(part for part in parts if part), limit=TEXT_LIMIT)


def vector_digest(text: str, *, model: str, dimensions: int) -> str:
    """Return the key of a text's stored vector."""
    return hashlib.sha256(f"{model}\0{dimensions}\0{text}".encode()).hexdigest()


def embed_texts(
    embedder: AIGateway,
    *,
    tenant_id: int,
    texts: Mapping[str, str],
    dimensions: int,
    now: datetime,
    build_id: int | None = None,
    between: Callable[[], None] = lambda: None,
) -> dict[str, NDArray[np.float32]]:
    """Return unit vectors by the key of their text; only new texts cost money.

    After a failed or refused call the remaining texts have none; the next build tries again. `between` is called before
    each call and may raise to stop the work.
    """
    today = now.astimezone(UTC).date()
    wanted = {
        key: vector_digest(text, model=embedder.model, dimensions=dimensions) for key, text in texts.items() if text
    }
    known = _load(tenant_id, set(wanted.values()), today)
    missing = {digest: texts[key] for key, digest in wanted.items() if digest not in known}
    for batch in _batches(missing.items()):
        between()
        try:
            vectors = _embed(embedder, tenant_id, [text for _, text in batch], now=now, build_id=build_id)
        except ProviderError as error:
            _log.warning("ai_vectors_missing", reason=error.reason, detail=error.detail, texts=len(missing))
            break
        fresh = dict(zip((digest for digest, _ in batch), vectors, strict=True))
        _save(tenant_id, fresh, model=embedder.model, today=today)
        known |= fresh
    return {key: unpack_vector(known[digest]) for key, digest in wanted.items() if digest in known}


def stored(
    *, tenant_id: int, model: str, dimensions: int, texts: Mapping[str, str], now: datetime
) -> dict[str, NDArray[np.float32]]:
    """Return the stored vectors by the key of their text; nothing is computed."""
    wanted = {key: vector_digest(text, model=model, dimensions=dimensions) for key, text in texts.items() if text}
    known = _load(tenant_id, set(wanted.values()), now.astimezone(UTC).date())
    return {key: unpack_vector(known[digest]) for key, digest in wanted.items() if digest in known}


def pack_vector(vector: Iterable[float]) -> bytes:
    """Return the stored form of a vector, normalised to length one."""
    values = np.asarray(list(vector), dtype=np.float64)
    return bytes((values / (np.linalg.norm(values) or 1.0)).astype("<f2").tobytes())


def unpack_vector(raw: bytes) -> NDArray[np.float32]:
    """Return a stored vector."""
    return np.frombuffer(raw, dtype="<f2").astype(np.float32)


def purge(*, now: datetime, keep_days: int) -> int:
    """Delete vectors that no build has needed for `keep_days`; return their number."""
    old = AIVector.objects.filter(used_on__lt=now.astimezone(UTC).date() - timedelta(days=keep_days))
    return delete_in_batches(old, scope=partial(scope.all_tenants, "AI vectors: retention"))


def _embed(
    embedder: AIGateway, tenant_id: int, texts: list[str], *, now: datetime, build_id: int | None
) -> list[bytes]:
    request = CompletionRequest(
        purpose=PURPOSE,
        messages=tuple(Message(role="user", content=text) for text in texts),
        schema_name="",
        schema={},
        contents={"items": len(texts), "characters": sum(len(text) for text in texts)},
    )
    answer = embedder.complete(tenant_id=tenant_id, request=request, now=now, build_id=build_id)
    return [pack_vector(vector) for vector in answer.content["vectors"]]


def _load(tenant_id: int, digests: set[str], today: date) -> dict[str, bytes]:
    vectors: dict[str, bytes] = {}
    for batch in _batches(sorted(digests)):
        with scope.tenant(tenant_id):
            rows = AIVector.objects.filter(tenant_id=tenant_id, digest__in=batch)
            vectors |= {digest: bytes(vector) for digest, vector in rows.values_list("digest", "vector")}
            rows.filter(used_on__lt=today).update(used_on=today)
    return vectors


def _save(tenant_id: int, fresh: Mapping[str, bytes], *, model: str, today: date) -> None:
    rows = [
        AIVector(tenant_id=tenant_id, digest=digest, model=model, vector=vector, used_on=today)
        for digest, vector in fresh.items()
    ]
    with scope.tenant(tenant_id):
        AIVector.objects.bulk_create(rows, ignore_conflicts=True)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, AT_ONCE)):
        yield batch
