"""Secrets are made once, belong to their owner, and never replace what is given."""

import stat
from pathlib import Path

from cryptography.fernet import Fernet

from config.local.credentials import ensure_credentials


class TestEnsureCredentials:
    def test_makes_a_secret_key_and_a_key_that_seals_for_the_owner_only(self, tmp_path):
        variables = ensure_credentials(var=tmp_path, given={})

        paths = {name: Path(value) for name, value in variables.items()}
        box = Fernet(paths["KEY_ENCRYPTION_KEYS_FILE"].read_text())
        assert box.decrypt(box.encrypt(b"a")) == b"a"
        assert len(paths["SECRET_KEY_FILE"].read_text()) >= 50
        assert {stat.S_IMODE(path.stat().st_mode) for path in paths.values()} == {0o600}
        assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700

    def test_keeps_them_for_the_next_start(self, tmp_path):
        first = ensure_credentials(var=tmp_path, given={})
        before = [Path(path).read_text() for path in first.values()]

        second = ensure_credentials(var=tmp_path, given={})

        assert second == first
        assert [Path(path).read_text() for path in second.values()] == before

    def test_leaves_given_ones_alone(self, tmp_path):
        variables = ensure_credentials(var=tmp_path, given={"SECRET_KEY": "x", "KEY_ENCRYPTION_KEYS_FILE": "/y"})

        assert variables == {}
        assert not (tmp_path / "secrets").exists()
