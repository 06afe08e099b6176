"""The check of sizes and docstrings finds each kind of problem, and none in this repository."""

from pathlib import Path

import pytest

from tests import conventions


def problems_in(source: str) -> list[str]:
    return list(conventions.problems_in_module("package/module.py", source))


@pytest.mark.parametrize("pronoun", ["what", "Who", "whose", "whom", "where", "How", "when", "whether", "which"])
@pytest.mark.parametrize(
    "source",
    [
        '"""{} x."""\n',
        'class A:\n    """{} x."""\n',
        'def f():\n    """{} x."""\n',
        'LIMIT = 3\n"""{} x."""\n',
        'class A:\n    limit: int = 3\n    """{} x."""\n',
    ],
)
def test_it_reports_a_docstring_that_starts_with_a_pronoun(pronoun, source):
    (problem,) = problems_in(source.format(pronoun))

    assert f"starts with '{pronoun}'" in problem


def test_it_accepts_a_word_that_only_begins_like_a_pronoun():
    assert problems_in('"""Whatever is left; whichever order."""\n') == []


def test_it_reports_long_modules_and_functions():
    body = "    pass\n"

    assert problems_in("def f():\n" + 49 * body) == []
    assert problems_in("def f():\n" + 50 * body) == ["package/module.py:1: f has 51 lines; at most 50"]
    assert problems_in(301 * "x = 1\n") == ["package/module.py: 301 lines; at most 300"]


def test_it_reports_a_crowded_package():
    modules = [Path(f"package/module_{number}.py") for number in range(20)] + [Path("package/__init__.py")]

    assert list(conventions.problems_in_packages(modules)) == []
    assert list(conventions.problems_in_packages([*modules, Path("package/one_more.py")])) == [
        "package/: 21 modules side by side; at most 20"
    ]


def test_folders_and_modules_select_their_own_problems():
    problem = "package/module.py:1: f has 51 lines; at most 50"

    assert conventions.is_inside(problem, ("package",))
    assert conventions.is_inside(problem, ("other", "package/module.py"))
    assert not conventions.is_inside(problem, ("pack", "package/other.py"))


def test_the_repository_keeps_to_the_conventions():
    assert conventions.find_problems() == []
