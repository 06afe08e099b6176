"""Token counts of a request, without the vendor's vocabulary (which would have to be downloaded)."""

import json

from recommendations.ai.protocol import CompletionRequest

MESSAGE_OVERHEAD_TOKENS = 16
SCHEMA_SENTENCE_TOKENS = 100
"""Bound of the sentence that introduces a schema in the prompt (see `dialect`); the schema is counted apart."""
BYTES_PER_TOKEN = 4


def input_bound(request: CompletionRequest) -> int:
    """Return an upper bound of the input's tokens, which a budget reserves.

    A token of a byte-level vocabulary covers at least one byte, so bytes bound tokens.
    """
    messages = len(request.messages) + 1
    return _size(request) + messages * MESSAGE_OVERHEAD_TOKENS + SCHEMA_SENTENCE_TOKENS


def expected_input(request: CompletionRequest) -> int:
    """Estimate the input's tokens, for cost estimates and the vendor's rate limit."""
    return -(-_size(request) // BYTES_PER_TOKEN) + MESSAGE_OVERHEAD_TOKENS


def _size(request: CompletionRequest) -> int:
    return sum(len(each.content.encode()) for each in request.messages) + len(json.dumps(dict(request.schema)).encode())
