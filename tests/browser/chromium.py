"""A real browser, headless: opens an address, and says what it made of it."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True)
class Page:
    """The document after its scripts have run, and what the browser's console said."""

    dom: str
    console: list[str]

    @property
    def violations(self) -> list[str]:
        """Console messages about the page's content security policy."""
        return [line for line in self.console if "Content Security Policy" in line]


def visit(address: str, *, milliseconds: int = 8000) -> Page:
    """Opens the address in a browser of its own and lets so much of the page's time go by."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += [f"--user-data-dir={profile}", f"--virtual-time-budget={milliseconds}", "--enable-logging=stderr"]
        done = subprocess.run(
            [PROGRAM, *options, "--dump-dom", address], capture_output=True, text=True, timeout=90, check=True
        )
    return Page(done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line])
