"""Every documented form of the broker's URL really connects, through the application's own connection."""

import contextlib
import datetime as dt
import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.devservers.ports import LOOPBACK
from tests.core.redis.servers import server, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "p#w/@:%"
QUOTED = "p%23w%2F%40%3A%25"
# Sends one task as a web process does and takes it as a worker does, then tells where it went.
_ROUND_TRIP = """
import json
from workers.celery import app, _as_worker
app.send_task("some.task", queue="trial", retry=False)
_as_worker(conf=app.conf)
with app.connection_for_read() as connection:
    taken = connection.SimpleQueue("trial").get(timeout=5)
    pool = connection.default_channel.client.connection_pool
    print(json.dumps({
        "task": taken.headers["task"],
        "class": pool.connection_class.__mro__[1].__name__,  # kombu derives its own
        "db": connection.default_channel.client.connection_pool.connection_kwargs["db"],
        "verifies": str(pool.connection_kwargs.get("ssl_cert_reqs")),
    }))
    taken.ack()
"""


def round_trip(url: str, *, variable: str = "CELERY_BROKER_URL") -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "CELERY_BROKER_URL")}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import django; django.setup(){_ROUND_TRIP}"],
        cwd=ROOT,
        check=False,
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "REDIS_READ_TIMEOUT_SECONDS": "2"}
        | {"REDIS_URL": url, variable: url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    answer: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return answer


@contextlib.contextmanager
def sentinel_of(folder: Path, port: int, *lines: str, program: str | None = None, **ping: object) -> Iterator[int]:
    monitor = [f"sentinel monitor main {LOOPBACK} {port} 1", *lines]
    with server(folder, *monitor, sentinel=True, program=program, **ping) as (watcher, _):
        client = redis_py.Redis(host=LOOPBACK, port=watcher, **ping)  # type: ignore[arg-type]
        wait_until(lambda: client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"))
        yield watcher


class TestForms:
    def test_a_plain_one_with_a_password(self, tmp_path):
        with server(tmp_path / "a", f'requirepass "{PASSWORD}"', password=PASSWORD) as (port, _):
            url = f"redis://:{QUOTED}@{LOOPBACK}:{port}/1?db=2"
            answer = round_trip(url)

        assert answer == {"task": "some.task", "class": "Connection", "db": 2, "verifies": "None"}

    @pytest.mark.parametrize("variable", ["REDIS_URL", "CELERY_BROKER_URL"])
    def test_a_socket(self, tmp_path, variable):
        socket = tmp_path / "redis.sock"
        with server(tmp_path / "a", f"unixsocket {socket}", f'requirepass "{PASSWORD}"', password=PASSWORD):
            url = f"unix://:{QUOTED}@{socket}?db=3"
            answer = round_trip(url, variable=variable)

        assert answer == {"task": "some.task", "class": "UnixDomainSocketConnection", "db": 3, "verifies": "None"}

    def test_sentinels_of_which_one_is_away(self, tmp_path):
        with (
            server(tmp_path / "master") as (port, _),
            sentinel_of(tmp_path / "watcher", port) as watcher,
        ):
            url = f"sentinel://{LOOPBACK}:{watcher},{LOOPBACK}:1/main/4"
            answer = round_trip(url)

        assert answer == {"task": "some.task", "class": "SentinelManagedConnection", "db": 4, "verifies": "None"}


def _certificates(folder: Path) -> dict[str, str]:
    """An authority and a certificate of it for the loopback address."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251  # a certificate is valid by the real clock

    def certificate(subject: x509.Name, of: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            address = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
            made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return made.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder.mkdir()
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    (folder / "ca.pem").write_bytes(certificate(name, authority_key, authority=True))
    (folder / "server.pem").write_bytes(certificate(server_name, key, authority=False))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {path.stem + path.suffix: str(path) for path in folder.iterdir()}


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server, which speaks TLS, is not installed")
class TestTls:
    """The embedded server has no TLS; the distribution's has."""

    @pytest.fixture
    def files(self, tmp_path):
        return _certificates(tmp_path / "certificates")

    @pytest.fixture
    def lines(self, files):
        return (
            f"tls-ca-cert-file {files['ca.pem']}",
            f"tls-cert-file {files['server.pem']}",
            f"tls-key-file {files['server.key']}",
            "tls-auth-clients no",
            "tls-replication yes",
        )

    def test_a_plain_one_verifies_the_certificate(self, tmp_path, files, lines):
        with server(
            tmp_path / "a", *lines, program=shutil.which("redis-server"), ssl=True, ssl_ca_certs=files["ca.pem"]
        ) as (port, _):
            url = f"rediss://{LOOPBACK}:{port}/1"
            trusted = f"{url}?ssl_ca_certs={files['ca.pem']}"
            answer = round_trip(trusted)
            with pytest.raises(AssertionError, match="CERTIFICATE_VERIFY_FAILED"):
                round_trip(url)

        assert answer == {"task": "some.task", "class": "SSLConnection", "db": 1, "verifies": "2"}

    def test_sentinels_and_their_master(self, tmp_path, files, lines):
        trust = {"ssl": True, "ssl_ca_certs": files["ca.pem"]}
        program = shutil.which("redis-server")
        with (
            server(tmp_path / "master", *lines, program=program, **trust) as (port, _),
            sentinel_of(tmp_path / "watcher", port, *lines, program=program, **trust) as watcher,
        ):
            url = f"sentinels://{LOOPBACK}:{watcher}/main/2?ssl_ca_certs={files['ca.pem']}"
            answer = round_trip(url)

        assert answer["class"] == "SentinelManagedSSLConnection"
        assert (answer["task"], answer["db"], answer["verifies"]) == ("some.task", 2, "2")


class TestNonsense:
    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({"REDIS_URL": "redis://:p#w@a:1/0"}, "core.E003"),
            ({"REDIS_URL": "http://a"}, "core.E003"),
            ({"REDIS_URL": "cluster://127.0.0.1:1"}, "core.E006"),
            ({"REDIS_URL": "redis://127.0.0.1:1/0", "CELERY_BROKER_URL": "amqp://a"}, "core.E006"),
        ],
    )
    def test_is_told_by_the_checks_and_not_by_a_traceback(self, variables, expected):
        run = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=ROOT,
            check=False,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "CELERY_BROKER_URL": "", **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert run.returncode == 1
        assert expected in run.stderr
        assert "Traceback" not in run.stderr
