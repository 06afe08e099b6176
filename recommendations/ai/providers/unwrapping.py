"""Unwraps a model's answer: content parts, byte order mark, thinking, code fence.

The rest must still be one JSON object and is validated like an answer without wrapping.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_THINKING = re.compile(
    r"\A\s*<(think|thinking|thought|reasoning|reflection|scratchpad)\b[^>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE
)
# Some templates open the block in the prompt, so that only its end is in the answer.
_THINKING_END = re.compile(r"\A[^{\[]*?.*?</(?:think|thinking|reasoning)\s*>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+-]*)[ \t]*\r?\n(.*?)\r?\n?[ \t]*\1[ \t]*$", re.DOTALL | re.M
)
_TEXT_PARTS = frozenset(("text", "output_text"))


def content_text(content: object) -> str | None:
    """Return the text of a message's content, which is a text or a list of parts; None where it is neither."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif (
            isinstance(part, Mapping) and part.get("type", "text") in _TEXT_PARTS and isinstance(part.get("text"), str)
        ):
            texts.append(part["text"])
    return "".join(texts)


def find_refusal(content: object) -> str:
    """Return the refusal among a content's parts, or nothing."""
    if not isinstance(content, list):
        return ""
    refusals = (part.get("refusal") for part in content if isinstance(part, Mapping) and part.get("type") == "refusal")
    return next((each for each in refusals if isinstance(each, str)), "")


def json_object(content: object) -> dict[str, Any] | None:
    """Return the JSON object that a content is, without its wrapping; None where it is something else."""
    text = content_text(content)
    if text is None:
        return None
    for bare in _unwrapped(text):
        try:
            value = json.loads(bare)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


def _unwrapped(text: str) -> list[str]:
    """Return the forms to try: as it is, without thinking, and the content of its only fence."""
    plain = text.strip().removeprefix("\ufeff").strip()
    thought = _THINKING.sub("", plain)
    if thought == plain and not plain.startswith(("{", "[")):
        thought = _THINKING_END.sub("", plain)
    thought = thought.strip().removeprefix("\ufeff").strip()
    fenced = _FENCE.findall(thought)
    return [plain, thought, *(inside for _, _, inside in fenced if len(fenced) == 1)]
