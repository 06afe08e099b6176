"""How many tokens a request is going to have, without the vendor's vocabulary (which would have to be downloaded)."""

import json

from recommendations.ai.protocol import CompletionRequest

MESSAGE_OVERHEAD_TOKENS = 16
SCHEMA_SENTENCE_TOKENS = 100
"""Of what introduces the schema where it goes into the prompt (see `dialect`); the schema itself is counted apart."""
BYTES_PER_TOKEN = 4


def input_bound(request: CompletionRequest) -> int:
    """Return a number that the input's tokens never exceed: what a budget reserves.

    A token of a byte-level vocabulary stands for one byte or more, so bytes bound tokens.
    """
    messages = len(request.messages) + 1
    return _size(request) + messages * MESSAGE_OVERHEAD_TOKENS + SCHEMA_SENTENCE_TOKENS


def expected_input(request: CompletionRequest) -> int:
    """Return about how many tokens the input has: what a preview shows and a vendor's rate limit counts."""
    return -(-_size(request) // BYTES_PER_TOKEN) + MESSAGE_OVERHEAD_TOKENS


def _size(request: CompletionRequest) -> int:
    return sum(len(each.content.encode()) for each in request.messages) + len(json.dumps(dict(request.schema)).encode())
