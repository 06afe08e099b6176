"""Everything that the help of our commands points to exists."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

OURS = sorted(name for name, app in get_commands().items() if app in ("recommendations", "accounts", "core", "workers"))
ROOT = Path(__file__).resolve().parents[3]
_PATH = re.compile(r"\b((?:docs|tests|config|var)/[\w./-]*\w|[\w-]+\.(?:md|csv|yaml|toml|env))\b")
# Made where the service runs.
_MADE = ("var/",)


@pytest.mark.parametrize("name", OURS)
def test_files_that_a_help_text_names_are_there(name):
    app = get_commands()[name]
    parser = load_command_class(str(app), name).create_parser("manage.py", name)

    named = {path for path in _PATH.findall(parser.format_help()) if not path.startswith(_MADE)}

    assert not [path for path in named if not (ROOT / path).exists()]


def test_our_commands_are_found():
    assert {"import_data", "build", "demo"} <= set(OURS)
