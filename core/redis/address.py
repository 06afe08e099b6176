"""What a Redis URL says.

`redis://`, `rediss://`, `unix://` as redis-py reads them; `sentinel://[user:password@]host:port,host:port/master/db`;
`cluster://[user:password@]host:port,host:port`. With an s at the end (`sentinels`, `clusters`) over TLS.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PLAIN, _SENTINEL, _CLUSTER = ("redis", "rediss", "unix"), ("sentinel", "sentinels"), ("cluster", "clusters")
_DEFAULT_PORT = {"sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL. `kind` is plain, sentinel or cluster; `hosts` is empty for a plain one, which redis-py reads."""

    kind: str
    url: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False


def parse(url: str) -> Address:
    """The URL, checked.

    Raises: ValueError, which says what is wrong without repeating a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme in _PLAIN:
        return _plain(url, scheme)
    if scheme not in (*_SENTINEL, *_CLUSTER):
        raise ValueError(f"{scheme or 'nothing'}:// is not a Redis URL: use redis, rediss, unix, sentinel or cluster.")
    kind = "sentinel" if scheme in _SENTINEL else "cluster"
    network, _, path = rest.partition("/")
    credentials, _, hosts = network.rpartition("@")
    username, _, password = credentials.partition(":")
    master, _, database = path.strip("/").partition("/")
    if kind == "sentinel" and not master:
        raise ValueError("A Sentinel URL names its master: sentinel://host:port,host:port/mymaster/0")
    if kind == "cluster" and master:
        raise ValueError("A cluster has one database only: leave the path of the URL empty.")
    return Address(
        kind=kind,
        url=url,
        hosts=tuple(_host(part, _DEFAULT_PORT[kind]) for part in hosts.split(",")),
        master=master,
        database=_database(database),
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=scheme.endswith("s"),
    )


def _plain(url: str, scheme: str) -> Address:
    parts = urlsplit(url)
    if scheme == "unix":
        if not parts.path:
            raise ValueError("A unix:// URL names the socket's path: unix:///run/redis.sock?db=0")
        return Address(kind="plain", url=url)
    if parts.fragment:
        raise ValueError("There is a # in it: percent-encode special characters of the password (# is %23).")
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("The port is not a number from 1 to 65535.")
    return Address(kind="plain", url=url, database=_database(parts.path.strip("/")), tls=scheme == "rediss")


def _host(part: str, default_port: int) -> tuple[str, int]:
    try:
        address = urlsplit(f"//{part}")
        host, port = address.hostname, address.port
    except ValueError:
        raise ValueError(f"{part!r} is not host:port.") from None
    if not host or address.path:
        raise ValueError(f"{part!r} is not host:port.")
    return host, port or default_port


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError(f"The database is a number, not {text!r}.")
    return int(text or 0)
