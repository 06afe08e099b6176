"""Programs of other languages that read the OpenAPI document; `make contract-tools` installs them.

None of them may ask anybody anything: what they would report or look up is switched off.
"""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).with_name("node")
MODULES = HERE / "node_modules"
NODE, JAVA = shutil.which("node"), shutil.which("java")
_QUIET = {
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "CI": "true",
    # Nobody listens there: a program that asks somebody all the same fails.
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


def _jar() -> Path | None:
    found = find_spec("openapi_generator_cli")
    return Path(found.origin).with_name("openapi-generator.jar") if found and found.origin else None


JAR = _jar()
needs_node = pytest.mark.skipif(
    not (NODE and MODULES.is_dir()), reason="Node.js or its packages are missing: make contract-tools"
)
needs_java = pytest.mark.skipif(
    not (JAVA and JAR), reason="a Java runtime or openapi-generator is missing: make contract-tools"
)


def node(script: str, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Runs a script of an installed package, or of ours; its output. Fails with all it said when it fails."""
    program = MODULES / ".bin" / script if (MODULES / ".bin" / script).exists() else script
    return _run([str(NODE), str(program), *map(str, arguments)], cwd=cwd, environment=environment)


def openapi_generator(*arguments: str | Path) -> str:
    """Runs openapi-generator; its output. Fails with all it said when it fails."""
    return _run([str(JAVA), "-jar", str(JAR), *map(str, arguments)], cwd=None, environment={})


def _run(command: list[str], *, cwd: Path | None, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | _QUIET | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
