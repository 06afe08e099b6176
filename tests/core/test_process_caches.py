"""Whatever a process remembers can be forgotten at once, and no module keeps anything unregistered."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from core import process_caches
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.llm import rerank
from recommendations.serving.lists import fallback

ROOT = Path(__file__).parents[2]
CACHES = {"lru_cache", "cache"}
BOUNDED = {"FIFOCache", "LRUCache", "TLRUCache", "TTLCache"}
EMPTY = {"OrderedDict", "dict", "list", "set"}
STAYS = {
    "accounts/tenancy/tenant_cache.py:_parts": "what copies hold, named when the application is ready",
    "core/ops/health.py:_registered": "probes, named when the application is ready",
    "core/process_caches.py:_registered": "the registry itself",
    "core/redis/access.py:client": "a connection",
    "recommendations/pipeline/lists/entries.py:_controller": "the libraries that are loaded",
    "recommendations/filter_language/parser.py:_parser": "follows from the grammar alone",
    "workers/exposition.py:_sockets": "ports that stay open",
    "recommendations/algorithms/models/als.py:_solver": "whether a library is installed",
}


def called(node):
    """The name of what is called or decorated with, without arguments and modules."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def kept(path):
    """The names of a module's empty containers, and of cached functions that take nothing, so depend on the process."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            value = node.value
            empty = (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)
            if isinstance(value, ast.Call):
                empty = called(value) in BOUNDED or (called(value) in EMPTY and not value.args)
            if empty:
                yield from (target.id for target in targets if isinstance(target, ast.Name) and target.id.islower())
        if isinstance(node, ast.FunctionDef) and not node.args.args + node.args.kwonlyargs:
            yield from (node.name for each in node.decorator_list if called(each) in CACHES)


def registers(text, name):
    """Returns true if a module registers a function that may clear this: by its name, or by `name.` in it."""
    said = (f"process_caches.register({name}.", f"{name}.cache_clear()", f"{name}.clear()")
    decorated = re.search(rf"@process_caches\.clearable\n@.*\ndef {name}\(", text)
    return ("process_caches.register" in text and any(each in text for each in said)) or bool(decorated)


def test_every_module_that_keeps_something_registers_how_it_is_forgotten():
    found = {
        f"{path.relative_to(ROOT)}:{name}"
        for package in ("accounts", "core", "recommendations", "workers")
        for path in (ROOT / package).rglob("*.py")
        for name in kept(path)
        if not registers(path.read_text(), name)
    }

    assert found == STAYS.keys()


@pytest.fixture
def filled(settings):
    settings.OPENAI_API_KEY = ""
    loaded: Any = object()
    fallback._last_popular[1] = loaded
    store._loaded["a"] = loaded
    return rerank.gateway()


def test_forgets_all_of_it(filled, settings):
    process_caches.clear_all()

    assert not fallback._last_popular
    assert not store._loaded
    assert rerank.gateway() is not filled
