"""Known vulnerabilities of what is pinned: `python -m tests.advisories PIP_AUDIT REQUIREMENTS...` (`make audit`).

Exit status 0 when nothing is known, also when no source of advisories could be reached, which is said; 1 when something
is known; 2 when pip-audit itself failed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_SECONDS = 300


def main(arguments: Sequence[str]) -> int:
    """Audits each file of requirements."""
    program, *files = arguments
    return max(_audit(program, file) for file in files)


def _audit(program: str, file: str) -> int:
    command = [program, "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        run = subprocess.run(
            [*command, "--requirement", file], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _say(0, f"{file}: NOT RUN: no answer within {_SECONDS} s.")
    try:
        packages: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        if "ConnectionError" in run.stderr or "ServiceError" in run.stderr:
            return _say(0, f"{file}: NOT RUN: no source of advisories could be reached.")
        return _say(2, f"{file}: pip-audit failed.\n{run.stderr}")
    looked_up = [package for package in packages if "vulns" in package]
    if not looked_up:
        return _say(0, f"{file}: NOT RUN: no source of advisories knows any of {len(packages)} packages.")
    found = [(package, known) for package in looked_up for known in package["vulns"]]
    for package, known in found:
        fixed = ", ".join(known.get("fix_versions") or ["no version yet"])
        print(f"{package['name']} {package['version']}: {known['id']}, fixed in {fixed}")
    return _say(1 if found else 0, f"{file}: {len(looked_up)} of {len(packages)} packages, {len(found)} advisories.")


def _say(status: int, text: str) -> int:
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
