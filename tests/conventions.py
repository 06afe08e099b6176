"""Checks the sizes and docstrings that docs/conventions.md asks for: `python -m tests.conventions [FOLDER ...]`."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50
MAX_PACKAGE_MODULES = 20
_PRONOUN = re.compile(r"(what|who|whose|whom|where|how|when|whether|which)\b", re.IGNORECASE)


def source_files() -> list[Path]:
    """Tracked Python files, relative to the root, without migrations."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = sorted({Path(name) for name in listed.split("\0") if name})
    return [path for path in paths if "migrations" not in path.parts and (ROOT / path).is_file()]


def problems_in_module(name: str, source: str) -> Iterator[str]:
    """Yields one line for each convention that a module breaks."""
    lines = source.count("\n")
    if lines > MAX_MODULE_LINES:
        yield f"{name}: {lines} lines; at most {MAX_MODULE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines; at most {MAX_FUNCTION_LINES}"
        elif not isinstance(node, ast.Module | ast.ClassDef):
            continue
        for line, docstring in docstrings(node):
            if pronoun := _PRONOUN.match(docstring):
                yield f"{name}:{line}: docstring starts with '{pronoun[1]}'; start with a verb or a noun"


def docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """Yields line and text of the node's docstring, and of those of its constants and attributes."""
    if docstring := ast.get_docstring(node):
        yield getattr(node, "lineno", 1), docstring
    for before, after in pairwise(node.body):
        if not (isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr)):
            continue
        if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            yield after.lineno, after.value.value


def problems_in_packages(paths: list[Path]) -> Iterator[str]:
    """Yields one line for each folder with too many modules side by side."""
    counts = Counter(path.parent.as_posix() for path in paths if path.name != "__init__.py")
    for folder, count in sorted(counts.items()):
        if count > MAX_PACKAGE_MODULES:
            yield f"{folder}/: {count} modules side by side; at most {MAX_PACKAGE_MODULES}"


def is_inside(name: str, folders: tuple[str, ...]) -> bool:
    """Returns true if a path, or a problem that starts with one, is in one of the folders, or is one of them."""
    return any(name.startswith((f"{folder.rstrip('/')}/", f"{folder}:")) or name == folder for folder in folders)


def find_problems(folders: tuple[str, ...] = ()) -> list[str]:
    """Returns every broken convention: of all sources, or of the given folders only."""
    paths = source_files()
    problems = [
        problem
        for path in paths
        for problem in problems_in_module(path.as_posix(), (ROOT / path).read_text(encoding="utf-8"))
    ]
    problems += problems_in_packages(paths)
    return [problem for problem in problems if not folders or is_inside(problem, folders)]


def main() -> int:
    problems = find_problems(tuple(sys.argv[1:]))
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
