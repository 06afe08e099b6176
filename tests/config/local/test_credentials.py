"""Secrets are made once, belong to their owner, and never replace what is given."""

import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.local.credentials import ensure_credentials


class TestEnsureCredentials:
    def test_makes_a_secret_key_and_a_signing_key_for_the_owner_only(self, tmp_path):
        variables = ensure_credentials(var=tmp_path, given={})

        paths = {name: Path(value) for name, value in variables.items()}
        key = load_pem_private_key(paths["JWT_PRIVATE_KEY_FILE"].read_bytes(), password=None)
        assert isinstance(key, RSAPrivateKey)
        assert key.key_size == 2048
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
        variables = ensure_credentials(var=tmp_path, given={"SECRET_KEY": "x", "JWT_PRIVATE_KEY_FILE": "/y"})

        assert variables == {}
        assert not (tmp_path / "secrets").exists()
