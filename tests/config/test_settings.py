"""The settings as a whole: what a bad environment does, what production demands, what the documents say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
_READ = re.compile(r'\benv\.(\w+)\(\s*f?"([A-Z][A-Z0-9_]*)"')
_OWN_READERS = re.compile(r'environ(?:\.get|\.setdefault)?[\[(]\s*["\']([A-Z][A-Z0-9_]*)["\']')
_ROW = re.compile(r"^\| ((?:`[A-Z][A-Z0-9_]*`(?:, )?)+) \|", re.MULTILINE)


def sane(tmp_path):
    """The settings of a plausible deployment, and nothing else."""
    return {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings.base",
        "DATABASE_URL": "postgresql://docent_app:a@127.0.0.1:1/docent?sslmode=verify-full",
        "DATABASE_OWNER_URL": "postgresql://docent_owner:a@127.0.0.1:1/docent",
        "REDIS_URL": "redis://:a@127.0.0.1:1/0",
        "SECRET_KEY": "".join(chr(33 + (n * 37) % 90) for n in range(64)),
        "ALLOWED_HOSTS": "api.example.org",
        "CORS_ALLOWED_ORIGINS": "https://shop.example.org",
        "KEY_ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}",
    }


def check(environment, *options):
    """`manage.py check`: its exit status and everything it said."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class TestProduction:
    @pytest.mark.slow
    def test_a_sane_deployment_passes_every_check(self, tmp_path):
        status, said = check(sane(tmp_path), "--deploy", "--fail-level", "WARNING")

        assert (status, said.strip()) == (0, "System check identified no issues (0 silenced).")

    @pytest.mark.slow  # a process each
    @pytest.mark.parametrize(
        ("name", "value", "identity"),
        [
            ("SECRET_KEY", "", "must not be empty"),
            ("SECRET_KEY", "short", "core.E005"),
            ("KEY_ENCRYPTION_KEYS", "", "accounts.E001"),
            ("KEY_ENCRYPTION_KEYS", "short", "accounts.E001"),
            ("JWT_PRIVATE_KEY", "nonsense", "accounts.E001"),
            ("JWT_PUBLISH_SECONDS", "60", "accounts.E002"),
            ("CORS_ALLOWED_ORIGINS", "https://shop.example.org,http://localhost:3000", "core.E004"),
            ("ALLOWED_HOSTS", "", "core.E007"),
            ("DATABASE_URL", "", "core.E001"),
            ("REDIS_URL", "", "core.E002"),
        ],
    )
    def test_what_is_missing_or_wrong_is_an_error_that_names_it(self, tmp_path, name, value, identity):
        status, said = check({**sane(tmp_path), name: value})

        assert status != 0
        assert identity in said
        assert name in said


class TestNonsense:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DATABASE_URL", "mysql://a/b"),
            ("SECURE_SSL_REDIRECT", "maybe"),
            ("DB_POOL_MAX_SIZE", "0"),
            ("REDIS_READ_TIMEOUT_SECONDS", "fast"),
            ("ACCESS_TOKEN_SECONDS", "86400"),
            ("TOKEN_RATE", "a lot"),
            ("TRUSTED_PROXIES", "-1"),
            ("PROCESS_REFRESH_SECONDS", "60"),
            ("OPENAI_BASE_URL", "api.example.org"),
            ("LOG_LEVEL", "LOUD"),
            ("NIGHTLY_BUILD_HOUR", "24"),
            ("TASK_TIME_LIMIT_SECONDS", "7200"),
            ("SECRET_KEY_FILE", "/nonexistent/key"),
        ],
    )
    def test_stops_the_start_and_names_the_variable(self, tmp_path, name, value):
        environment = {**sane(tmp_path), name: value}
        if name == "SECRET_KEY_FILE":
            del environment["SECRET_KEY"]
        status, said = check(environment)

        assert status != 0
        assert "ImproperlyConfigured" in said
        assert name in said.splitlines()[-1]


class TestStorage:
    def test_a_bucket_that_does_not_answer_holds_a_request_for_seconds_only(self, tmp_path):
        environment = {**sane(tmp_path), "STORAGE_S3_BUCKET": "files", "STORAGE_S3_PATH_STYLE": "true"}
        shown = (
            "from config.settings.base import STORAGES;"
            "made = STORAGES['default']['OPTIONS']['client_config'];"
            "print(made.connect_timeout, made.read_timeout, made.retries['total_max_attempts'], made.s3)"
        )
        done = subprocess.run(
            [sys.executable, "-c", shown], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
            check=True,
        )  # fmt: skip

        connect, read, attempts, style = done.stdout.split(maxsplit=3)
        assert int(attempts) * (int(connect) + int(read)) <= 20
        assert "path" in style


def read_by_the_service():
    """Every variable that settings, the web server's configuration and the entry points read."""
    found = set()
    for path in (ROOT / "config" / "settings").glob("*.py"):
        for reader, name in _READ.findall(path.read_text()):
            found |= {name, f"{name}_FILE"} if reader == "secret" else {name}
    for path in (ROOT / "config" / "gunicorn.py", ROOT / "config" / "wsgi.py"):
        found |= set(_OWN_READERS.findall(path.read_text()))
    return found


class TestDocument:
    document = ROOT / "docs" / "operations" / "config.md"

    def test_has_a_row_for_each_variable_and_no_other(self):
        rows = {
            name for cell in _ROW.findall(self.document.read_text()) for name in re.findall(r"`([A-Z0-9_]+)`", cell)
        }

        assert read_by_the_service() - rows == set()
        assert rows - read_by_the_service() == set()

    def test_tells_the_defaults_that_hold(self):
        """Those that are plain numbers or words: the table's second column against the settings' own text."""
        rows = dict(re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \| ([^|]*) \|", self.document.read_text(), re.MULTILINE))
        modules = [each for each in (ROOT / "config" / "settings").glob("*.py") if each.stem not in {"dev", "test"}]
        source = "".join(each.read_text() for each in modules)
        wrong = {}
        for name, default in re.findall(r'env\.(?:integer|seconds)\(\s*"([A-Z_]+)", ([0-9_.]+)[,)]', source):
            told = rows[name].replace("`", "").replace(",", "").strip()
            if float(told.split()[0]) != float(default):
                wrong[name] = told

        assert wrong == {}
