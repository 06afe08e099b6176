"""The codes of problems that stand in the source."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from core.errors import ServiceError
from core.http import problem

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("core", "accounts", "recommendations", "workers")
# Modules that need packages which only some deployments install.
_OPTIONAL = ("opentelemetry_sdk.py", "sentry.py")
_CODE = re.compile(r"[a-z]+(_[a-z]+)+\Z")


@cache
def in_source() -> dict[str, str]:
    """Each code, and one place that raises or answers it."""
    found = dict.fromkeys(problem._CODE_BY_STATUS.values(), "core/http/problem.py") | {"error": "core/http/problem.py"}
    for path in modules():
        for code in _answered(ast.parse(path.read_text())):
            found[code] = str(path.relative_to(ROOT))
    for refusal in _refusals(ServiceError):
        found[refusal.code] = refusal.__module__
    return found


def modules() -> Iterator[Path]:
    """Every module of ours, migrations left out."""
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def _answered(tree: ast.AST) -> Iterator[str]:
    """Constants assigned to `code`, and codes in calls with an error status: `refuse(409, "in_use")`.

    Where such a call has the keyword `code`, only that is one.
    """
    for call in ast.walk(tree):
        if isinstance(call, ast.Assign) and isinstance(call.value, ast.Constant) and isinstance(call.value.value, str):
            names = [target.id for target in call.targets if isinstance(target, ast.Name)]
            yield from [call.value.value] if names == ["code"] and call.value.value else []
        if not isinstance(call, ast.Call):
            continue
        named = [word.value for word in call.keywords if word.arg == "code"]
        values = [*call.args, *(word.value for word in call.keywords if word.arg == "status")]
        constants = [value.value for value in values if isinstance(value, ast.Constant)]
        if not any(type(value) is int and 400 <= value < 600 for value in constants):
            continue
        words = [value.value for value in named if isinstance(value, ast.Constant)] if named else constants
        yield from (word for word in words if isinstance(word, str) and (named or _CODE.match(word)))


def _refusals(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for path in modules():
        if path.name not in {"__main__.py", *_OPTIONAL}:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    waiting = [kind]
    while waiting:
        current = waiting.pop()
        if current.__module__.partition(".")[0] in PACKAGES:
            yield current
        waiting += current.__subclasses__()
