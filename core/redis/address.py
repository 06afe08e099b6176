"""Parser of Redis URLs.

`redis://`, `rediss://` (TLS) and `unix:///path?db=0` as redis-py reads them;
`sentinel://[user:password@]host:port,host:port/master/db`; `cluster://[user:password@]host:port,host:port`. With an s
at the end (`sentinels`, `clusters`) over TLS. All forms over TLS take `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`,
`ssl_cert_reqs` (`required`, `none`) and `ssl_check_hostname` in the query; certificates are verified by default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

_PLAIN, _SENTINEL, _CLUSTER = ("redis", "rediss", "unix"), ("sentinel", "sentinels"), ("cluster", "clusters")
_DEFAULT_PORT = {"plain": 6379, "sentinel": 26379, "cluster": 6379}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL. `kind` is plain, unix, sentinel or cluster; `path` is the socket's and empty for the others."""

    kind: str
    url: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    master: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_options: Mapping[str, str | bool] = field(default_factory=dict)


def parse(url: str) -> Address:
    """The URL, checked.

    Raises: ValueError, which says what is wrong without repeating a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError("It has no scheme: a Redis URL begins with redis://, rediss://, unix://, sentinel:// or such.")
    if scheme not in (*_PLAIN, *_SENTINEL, *_CLUSTER):
        raise ValueError(f"{scheme}:// is not a Redis URL: use redis, rediss, unix, sentinel or cluster.")
    rest, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    if scheme in _PLAIN:
        return _plain(url, scheme, options)
    kind = "sentinel" if scheme in _SENTINEL else "cluster"
    network, _, path = rest.partition("/")
    if "@" in path:
        raise ValueError("There is a / in the password: percent-encode special characters (/ is %2F).")
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
        tls_options=_tls_options(options),
    )


def _plain(url: str, scheme: str, options: dict[str, str]) -> Address:
    if "#" in url:
        raise ValueError("There is a # in it: percent-encode special characters of the password (# is %23).")
    if "@" in urlsplit(url).path:
        raise ValueError("There is a / in the password: percent-encode special characters (/ is %2F).")
    parts = urlsplit(url)
    username, password = unquote(parts.username or "") or None, unquote(parts.password or "") or None
    if scheme == "unix":
        if not parts.path.strip("/"):
            raise ValueError("A unix:// URL names the socket's path: unix:///run/redis.sock?db=0")
        if parts.hostname:
            raise ValueError("A unix:// URL has three slashes before the socket's path: unix:///run/redis.sock?db=0")
        database = _database(options.get("db", ""))
        return Address("unix", url, (), unquote(parts.path), "", database, username, password)
    try:
        port = _DEFAULT_PORT["plain"] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise ValueError("The port is not a number from 1 to 65535.")
    return Address(
        kind="plain",
        url=url,
        hosts=((parts.hostname or "localhost", port),),
        # As redis-py has it: the query before the path.
        database=_database(options.get("db") or parts.path.strip("/")),
        username=username,
        password=password,
        tls=scheme == "rediss",
        tls_options=_tls_options(options),
    )


def _host(part: str, default_port: int) -> tuple[str, int]:
    try:
        address = urlsplit(f"//{part}")
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if not host or address.path or port == 0:
        raise ValueError("One of the hosts is not host:port.")
    return host, port or default_port


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError("The database is not a number.")
    return int(text or 0)


def _tls_options(options: dict[str, str]) -> Mapping[str, str | bool]:
    found: dict[str, str | bool] = {name: options[name] for name in _TLS_OPTIONS if name in options}
    if found.get("ssl_cert_reqs", "required") not in ("required", "optional", "none"):
        raise ValueError("ssl_cert_reqs is required, optional or none.")
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = str(found["ssl_check_hostname"]).lower() not in ("false", "0", "no")
    return found
