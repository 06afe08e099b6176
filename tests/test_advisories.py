"""Reports of an audit of the pinned packages, from pip-audit's output."""

import json

import pytest

from tests import advisories


@pytest.fixture
def audit(tmp_path, capsys):
    """`audit(stdout, stderr)`: exit status and words for a pip-audit that prints these."""

    def run(stdout: str = "", stderr: str = "") -> tuple[int, str]:
        (tmp_path / "out").write_text(stdout)
        (tmp_path / "err").write_text(stderr)
        program = tmp_path / "pip-audit"
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit 1\n")
        program.chmod(0o755)
        status = advisories.main([str(program), "requirements.txt"])
        return status, capsys.readouterr().out

    return run


def answer(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


class TestAudit:
    def test_nothing_is_known(self, audit):
        status, says = audit(answer({"name": "django", "version": "5", "vulns": []}))

        assert (status, says) == (0, "requirements.txt: 1 of 1 packages, 0 advisories.\n")

    def test_something_is_known(self, audit):
        known = {"id": "PYSEC-1", "fix_versions": ["5.1"], "aliases": [], "description": ""}

        status, says = audit(answer({"name": "django", "version": "5", "vulns": [known]}))

        assert status == 1
        assert "django 5: PYSEC-1, fixed in 5.1" in says

    @pytest.mark.parametrize(
        ("stdout", "stderr"),
        [
            (answer({"name": "django", "version": "5", "skip_reason": "Dependency not found on PyPI"}), ""),
            ("", "requests.exceptions.ConnectionError: Failed to resolve"),
        ],
    )
    def test_a_source_that_cannot_be_reached_is_not_a_clean_bill(self, audit, stdout, stderr):
        status, says = audit(stdout, stderr)

        assert status == 0
        assert "NOT RUN" in says

    def test_a_failure_of_the_tool_is_one(self, audit):
        assert audit("", "Traceback: something else")[0] == 2
