"""``POST /v1/embeddings``: hashed bags of words, so that texts with common words are near each other."""

import base64
import hashlib
import math
import re
from array import array
from collections.abc import Mapping
from typing import Any

from tests.fakes.openai_server import wire

DEFAULT_DIMENSIONS = 1536
MAX_INPUTS = 2048
_WORD = re.compile(r"\w+")


def embed(request: Mapping[str, Any]) -> wire.Answer:
    """Return one unit vector per input, as floats or base64 of little-endian float32."""
    texts = request.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if (
        not isinstance(texts, list)
        or not 0 < len(texts) <= MAX_INPUTS
        or not all(isinstance(each, str) and each for each in texts)
    ):
        return wire.error(
            400, "'$.input' is invalid: give a non-empty string or up to 2048 of them", kind="invalid_request_error"
        )
    dimensions = request.get("dimensions", DEFAULT_DIMENSIONS)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= 3072:
        return wire.error(400, "Invalid value for 'dimensions'", kind="invalid_request_error", param="dimensions")
    encoded = request.get("encoding_format") == "base64"
    data = []
    for index, text in enumerate(texts):
        vector = _vector(text, dimensions)
        value: Any = base64.b64encode(vector.tobytes()).decode() if encoded else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": value})
    tokens = sum(-(-len(text) // 4) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return wire.Answer(200, {"object": "list", "data": data, "model": str(request.get("model", "")), "usage": usage})


def _vector(text: str, dimensions: int) -> "array[float]":
    sums = [0.0] * dimensions
    for word in _WORD.findall(text.casefold()) or [text]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        sums[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    length = math.sqrt(sum(each * each for each in sums)) or 1.0
    return array("f", [each / length for each in sums])
